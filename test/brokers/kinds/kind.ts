/** What a broker is to the scenarios: something to start, to reach and to start again. */
import { existsSync } from "node:fs";
import { findProgram } from "../../support/requirements.ts";

export interface TestBroker {
  /** Where bridge and devices reach it. */
  readonly url: string;
  /** For the table, e.g. `Mosquitto 2.0.11`. */
  readonly version: string;
  /** Ends it in order and starts it again on the same port and data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface BrokerKind {
  /** For `--only`. */
  id: string;
  /** Heads its column. */
  title: string;
  /** What devices speak, and the bridge too unless it finds out by itself. */
  protocol: "5" | "3.1.1";
  /** Of the bridge. */
  bridge: Record<string, string>;
  /** Programs and files that this machine lacks. */
  missing(): string[];
  /** Absent: the broker is part of the bridge. */
  start?(): Promise<TestBroker>;
}

/** Those that are not there: names are looked for on PATH, absolute paths in the file system. */
export function lacking(...wanted: string[]): string[] {
  return wanted.filter((name) => (name.startsWith("/") ? !existsSync(name) : findProgram(name) === undefined));
}
