/** The interface of a broker for the scenarios: start, reach and restart it. */
import { existsSync } from "node:fs";
import { findProgram } from "../../support/requirements.ts";

export interface TestBroker {
  /** URL for bridge and devices. */
  readonly url: string;
  /** Name and version for the table, e.g. `Mosquitto 2.0.11`. */
  readonly version: string;
  /** Restarts the broker in order, on the same port and data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface BrokerKind {
  /** Id for `--only`. */
  id: string;
  /** Title of its column. */
  title: string;
  /** Protocol of the devices, and of the bridge unless it detects its own. */
  protocol: "5" | "3.1.1";
  /** Settings of the bridge. */
  bridge: Record<string, string>;
  /** Returns the programs and files that this machine lacks. */
  missing(): string[];
  /** Absent if the broker is part of the bridge. */
  start?(): Promise<TestBroker>;
}

/** Returns the missing items: names are searched on PATH, absolute paths in the file system. */
export function lacking(...wanted: string[]): string[] {
  return wanted.filter((name) => (name.startsWith("/") ? !existsSync(name) : findProgram(name) === undefined));
}
