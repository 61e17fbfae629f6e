/** Carries out a schedule of faults, and records when each really began and ended. */
import { setTimeout as delay } from "node:timers/promises";
import type { Fault } from "./faults.ts";
import type { Target } from "./world.ts";

/**
 * A fault as it happened; milliseconds since the epoch. `to` is when everything was started and open again: a restarted
 * bridge waits for its store, and for the lease of one that was killed.
 */
export interface Happened extends Pick<Fault, "target" | "kind"> {
  from: number;
  /** When mending began: a killed process was down until then. */
  until: number;
  to: number;
}

export interface Injection {
  /** Past and current faults; current ones have `to: Infinity`. */
  readonly happened: Happened[];
  /** Unexpected behaviour of the processes, e.g. an exit of their own. */
  readonly trouble: string[];
  /** Resolves when all faults are over. Never rejects. */
  readonly done: Promise<void>;
}

/**
 * @param lengthMs end of the run: a fault that the previous one delays beyond it is skipped
 * @param mended called after each fault
 */
export function inject(
  faults: readonly Fault[],
  targets: Record<Fault["target"], Target>,
  lengthMs: number,
  mended: (fault: Fault) => void,
): Injection {
  const happened: Happened[] = [];
  const trouble: string[] = [];
  const start = Date.now();
  // Per target one after the other: a target that is slow to recover has its next fault later, not two at once.
  const lines = [...new Set(faults.map(({ target }) => target))].map((target) =>
    faults.filter((fault) => fault.target === target),
  );

  async function one(fault: Fault): Promise<void> {
    const { target, kind, at, ms } = fault;
    await delay(Math.max(0, start + at - Date.now()));
    if (Date.now() - start > lengthMs) return;
    const record = { target, kind, from: Date.now(), until: Number.POSITIVE_INFINITY, to: Number.POSITIVE_INFINITY };
    happened.push(record);
    try {
      await attempt(target, () => targets[target].begin(kind));
      await delay(ms);
    } finally {
      record.until = Date.now();
      await attempt(target, () => targets[target].mend(kind));
      record.to = Date.now();
    }
    mended(fault);
  }

  async function attempt(target: string, step: () => Promise<void> | void): Promise<void> {
    try {
      await step();
    } catch (error) {
      trouble.push(`${target}: ${(error as Error).message}`);
    }
  }

  async function line(own: Fault[]): Promise<void> {
    for (const fault of own) await one(fault);
  }

  const done = Promise.all(lines.map(line)).then(() => undefined);
  return { happened, trouble, done };
}
