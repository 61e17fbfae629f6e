import type { WireError } from "./errors.ts";

/** How far a commit goes before its operations are answered. `normal` survives a crash of the process, not of the machine. */
export type Synchronous = "full" | "normal";

export interface ThreadOptions {
  file: string;
  synchronous: Synchronous;
  /** URLs of the modules that provide the procedures. */
  modules: string[];
}

export type Operation = [procedure: string, args: readonly unknown[]];
export type Notice = [topic: string, payload: unknown];

export type ToThread = { type: "batch"; operations: Operation[] } | { type: "close" };

export type FromThread =
  | { type: "open" }
  | { type: "failed"; error: WireError }
  /** Results in the order of the operations; a failed operation has an entry in `errors` instead. */
  | { type: "done"; results: unknown[]; errors: [index: number, error: WireError][]; notices: Notice[] }
  | { type: "closed" };
