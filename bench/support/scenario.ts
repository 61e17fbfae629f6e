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

/** The figures of one side of one round. */
export type Sample = Record<string, number>;

/** One side of a comparison, ready to be measured again and again. */
export interface Side {
  /** Runs once, before the first round. */
  warmUp?(): Promise<unknown>;
  run(): Promise<Sample>;
}

/** The sides measured one after the other, in an order that rotates from round to round. */
export interface Round {
  bridge: Sample;
  /** The reference: bare libraries, or the same bridge without the burden that is measured. */
  bare?: Sample;
  /** The bridge of the checkout named by `--against`. */
  other?: Sample;
}

export interface Outcome {
  /** What the targets judge. */
  measured: Record<string, number>;
  /** Absolute figures for people, in the order in which they are shown. */
  figures: Record<string, string>;
}

/** A scenario with its processes running. */
export interface Stage {
  bridge: Side;
  bare?: Side;
  /** Works on any number of rounds from one on: the run may end early. */
  summarize(rounds: Round[]): Outcome;
}

export interface Context {
  /** Smaller sizes and shorter times. */
  quick: boolean;
  /** Starts the bridge with the log level, and the profile, that the run was asked for. */
  startBridge(options: Omit<BridgeOptions, "root" | "logLevel" | "profileTo">): Promise<Bridge>;
  /** Registers what must be closed before the processes end, also when the scenario is cut short. */
  onEnd(close: () => unknown): void;
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
  /** Its share of the run's time, in seconds on two idle cores. The number of rounds follows from it. */
  seconds: number;
  /** Absent: what `--rounds` asks for, or {@link MOST_ROUNDS}. 1 where a second round would not start from the same state. */
  mostRounds?: number;
  /** Keys of {@link Sample} compared with another checkout. The first one also shows the drift of the bare side. */
  compared: [string, ...string[]];
  /** Starts the processes. With `--against` it is called once for each checkout. */
  open(context: Context): Promise<Stage>;
}

/** More rounds hardly move a median. */
export const MOST_ROUNDS = 6;
