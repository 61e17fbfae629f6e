/** Types of the scenarios. */
import type { Bridge, BridgeOptions } from "./bridge.ts";

export type Unit = "x" | "ms" | "s" | "MB" | "/s" | "%";

/** A bound that a measured figure must meet. */
export interface Target {
  /** A key of {@link Outcome.measured}. */
  metric: string;
  unit: Unit;
  atLeast?: number;
  atMost?: number;
}

/** The figures of one side of one round. */
export type Sample = Record<string, number>;

/** One side of a comparison, which can be measured repeatedly. */
export interface Side {
  /** Runs once, before the first round. */
  warmUp?(): Promise<unknown>;
  run(): Promise<Sample>;
}

/** The figures of all sides, measured one after the other in an order that rotates by round. */
export interface Round {
  bridge: Sample;
  /** The baseline: bare libraries, or the same bridge without the load under test. */
  bare?: Sample;
  /** The bridge of the checkout named by `--against`. */
  other?: Sample;
}

export interface Outcome {
  /** The figures that the targets refer to. */
  measured: Record<string, number>;
  /** Readable absolute figures, in display order. */
  figures: Record<string, string>;
}

/** A scenario with its processes running. */
export interface Stage {
  bridge: Side;
  bare?: Side;
  /** Works with one or more rounds, because the run may end early. */
  summarize(rounds: Round[]): Outcome;
}

export interface Context {
  /** Smaller sizes and shorter times. */
  quick: boolean;
  /** Starts the bridge with the log level and the profile options of the run. */
  startBridge(options: Omit<BridgeOptions, "root" | "logLevel" | "profileTo">): Promise<Bridge>;
  /** Registers a function that runs before the processes are stopped, also if the scenario is cut short. */
  onEnd(close: () => unknown): void;
  progress(text: string): void;
}

export interface Scenario {
  name: string;
  /** A readable description of one line. */
  title: string;
  /** Empty: the scenario is informative only. */
  targets: Target[];
  /** One met target is enough, such as a rate or a ratio. Absent: all targets must be met. */
  enough?: "any";
  /** The scenario's share of the run's time, in seconds on two idle cores. It determines the number of rounds. */
  seconds: number;
  /** Default: `--rounds` or {@link MOST_ROUNDS}. 1 if a second round would not start from the same state. */
  mostRounds?: number;
  /** Keys of {@link Sample} to compare with another checkout. The first key also measures the bare side's drift. */
  compared: [string, ...string[]];
  /** Starts the processes. Called once per checkout with `--against`. */
  open(context: Context): Promise<Stage>;
}

/** Maximum number of rounds; more rounds hardly change a median. */
export const MOST_ROUNDS = 6;
