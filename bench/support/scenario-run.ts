/** Runs one scenario within its budget, in rounds that alternate the sides. The result is available at any time. */
import { anotherRound, limitOf, orderOf } from "./budget.ts";
import { againstOther, driftOf } from "./comparison.ts";
import { judge, type Result } from "./report.ts";
import { type Context, MOST_ROUNDS, type Round, type Scenario, type Side, type Stage } from "./scenario.ts";

type StartBridge = Context["startBridge"];

export interface Setup {
  quick: boolean;
  /** Seconds. */
  budget: number;
  /** Seconds for the first round, regardless of the budget. */
  patience: number;
  /** Exact number of rounds, regardless of the budget. */
  asked?: number;
  startBridge: StartBridge;
  /** With `--against`: starts the bridge of the other checkout. */
  startOther?: StartBridge;
  progress(text: string): void;
  /** Stops all processes. */
  stopAll(): Promise<void>;
}

const CLOSE_MS = 2_000;
const CHECK_MS = 250;

export class ScenarioRun {
  readonly #scenario: Scenario;
  readonly #setup: Setup;
  readonly #startedAt = performance.now();
  readonly #rounds: Round[] = [];
  readonly #closing: (() => unknown)[] = [];
  #stage: Stage | undefined;
  #ended = false;

  constructor(scenario: Scenario, setup: Setup) {
    this.#scenario = scenario;
    this.#setup = setup;
  }

  /** Never rejects: an error is part of the result. */
  async run(): Promise<Result> {
    const { budget, patience } = this.#setup;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      const check = () => {
        const left = limitOf({ budget, patience, done: this.#rounds.length }) - this.#elapsed();
        if (left <= 0) return resolve(`stopped after ${Math.round(this.#elapsed())} s`);
        // A round that completes in the meantime shortens the limit.
        timer = setTimeout(check, Math.min(left * 1_000, CHECK_MS));
      };
      check();
    });
    let end: { cut?: string; error?: string };
    try {
      end = { cut: (await Promise.race([this.#measure(), late])) ?? undefined };
    } catch (error) {
      end = { error: (error as Error).message };
    }
    this.#ended = true;
    clearTimeout(timer);
    // Computed before closing and stopping, which are not part of the measurement.
    const result = this.result(end);
    await this.#close();
    await this.#setup.stopAll();
    return result;
  }

  /** The result of the complete rounds. */
  result({ cut, error }: { cut?: string; error?: string } = {}): Result {
    const { name, title, compared } = this.#scenario;
    const rounds = [...this.#rounds];
    const outcome = this.#stage && rounds.length > 0 ? this.#stage.summarize(rounds) : undefined;
    return {
      scenario: { name, title },
      ...outcome,
      error: error ?? (outcome ? undefined : `no round was completed${cut ? `, ${cut}` : ""}`),
      cut,
      verdicts: judge(this.#scenario, outcome),
      rounds,
      drift: driftOf(rounds, compared[0]),
      against: againstOther(rounds, compared),
      seconds: Math.round(this.#elapsed() * 10) / 10,
      budget: Math.round(this.#setup.budget),
    };
  }

  async #measure(): Promise<undefined> {
    const { startBridge, startOther, asked, budget } = this.#setup;
    const { open, mostRounds } = this.#scenario;
    const stage = await open(this.#context(startBridge));
    this.#stage = stage;
    const other = startOther && (await open(this.#context(startOther)));
    const sides: Partial<Record<keyof Round, Side>> = { bare: stage.bare, bridge: stage.bridge, other: other?.bridge };
    const names = (Object.keys(sides) as (keyof Round)[]).filter((name) => sides[name]);
    for (const name of names) if (!this.#ended) await sides[name]!.warmUp?.();

    let longest = 0;
    const another = () => {
      const [done, elapsed] = [this.#rounds.length, this.#elapsed()];
      return anotherRound({ done, elapsed, longest, budget, asked, most: mostRounds ?? asked ?? MOST_ROUNDS });
    };
    while (!this.#ended && another()) {
      const startedAt = this.#elapsed();
      const round: Partial<Round> = {};
      for (const name of orderOf(names, this.#rounds.length)) if (!this.#ended) round[name] = await sides[name]!.run();
      if (this.#ended) return;
      this.#rounds.push(round as Round);
      longest = Math.max(longest, this.#elapsed() - startedAt);
      this.#report(round as Round, names);
    }
  }

  #report(round: Round, names: (keyof Round)[]): void {
    const [key] = this.#scenario.compared;
    const figures = names.map((name) => `${name} ${Number(round[name]?.[key]?.toPrecision(4)).toLocaleString("en")}`);
    this.#setup.progress(`round ${this.#rounds.length}, ${key}: ${figures.join(", ")}`);
  }

  #context(startBridge: StartBridge): Context {
    return {
      quick: this.#setup.quick,
      startBridge: (options) => {
        if (this.#ended) throw new Error("the scenario has ended");
        return startBridge(options);
      },
      onEnd: (close) => this.#closing.push(close),
      progress: this.#setup.progress,
    };
  }

  /** Runs the close functions with a time limit, because some wait for a process that no longer responds. */
  async #close(): Promise<void> {
    const all = Promise.allSettled(this.#closing.map(async (close) => close()));
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise((resolve) => {
      timer = setTimeout(resolve, CLOSE_MS);
    });
    await Promise.race([all, enough]);
    clearTimeout(timer);
  }

  #elapsed(): number {
    return (performance.now() - this.#startedAt) / 1_000;
  }
}
