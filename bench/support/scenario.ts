/** The vocabulary of the scenarios. */
import type { Bridge, BridgeOptions } from "./bridge.ts";

export type Unit = "x" | "ms" | "s" | "MB" | "/s";

/** A figure that has to be reached. */
export interface Target {
  /** A key of {@link Outcome.measured}. */
  metric: string;
  unit: Unit;
  atLeast?: number;
  atMost?: number;
}

export interface Outcome {
  /** What the targets judge. */
  measured: Record<string, number>;
  /** Absolute figures for people, in the order in which they are shown. */
  figures: Record<string, string>;
  /** Every round as it came. */
  rounds: Record<string, number>[];
}

export interface Context {
  /** Alternations of both sides; the median counts. */
  rounds: number;
  /** Smaller sizes and shorter times. */
  quick: boolean;
  /** Starts the bridge with the log level, and the profile, that the run was asked for. */
  startBridge(options: Omit<BridgeOptions, "logLevel" | "profileTo">): Promise<Bridge>;
  progress(text: string): void;
}

export interface Scenario {
  name: string;
  /** One line for people. */
  title: string;
  /** Empty: for information. */
  targets: Target[];
  /** One target is enough, for instance a rate or else a ratio. Absent: all have to be reached. */
  enough?: "any";
  /** After this it counts as failed. */
  maxSeconds: number;
  run(context: Context): Promise<Outcome>;
}
