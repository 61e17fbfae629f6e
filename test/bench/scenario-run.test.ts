/** One scenario of the benchmark: its rounds, and its result however the run ends. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Scenario, Side, Stage } from "../../bench/support/scenario.ts";
import { ScenarioRun, type Setup } from "../../bench/support/scenario-run.ts";

const never = new Promise<never>(() => {});
const startNothing = (name: string) => () => Promise.reject(new Error(`${name} is not to be started`));

function scenarioOf(open: Scenario["open"]): Scenario {
  const targets = [{ metric: "rate", unit: "/s" as const, atLeast: 1 }];
  return { name: "fake", title: "", targets, seconds: 1, compared: ["rate"], open };
}

function stageOf(bridge: Side["run"], bare?: Side["run"]): Stage {
  return {
    bridge: { run: bridge },
    bare: bare && { run: bare },
    summarize: (rounds) => ({ measured: { rate: rounds.length }, figures: {} }),
  };
}

function setupOf(given: Partial<Setup> = {}): Setup {
  return {
    quick: false,
    budget: 10,
    patience: 0,
    startBridge: startNothing("this"),
    progress() {},
    async stopAll() {},
    ...given,
  };
}

describe("a run of a scenario", () => {
  it("alternates the sides and runs the other checkout's bridge in the same rounds", async () => {
    const calls: string[] = [];
    const side = (name: string) => async () => ({ rate: calls.push(name) });
    const startOther = startNothing("other");
    const setup = setupOf({ asked: 2, startOther });
    const scenario = scenarioOf(async ({ startBridge }) => {
      const name = await startBridge({}).then(String, (error: Error) =>
        error.message.startsWith("other") ? "other" : "bridge",
      );
      return stageOf(side(name), side("bare"));
    });
    const result = await new ScenarioRun(scenario, setup).run();
    assert.deepEqual(calls, ["bare", "bridge", "other", "bridge", "other", "bare"]);
    assert.equal(result.rounds.length, 2);
    assert.deepEqual(result.against.rate, { min: 2 / 3, median: (2 / 3 + 0.8) / 2, max: 0.8 });
    assert.equal(result.verdicts[0]?.met, true);
  });

  it("ends with the complete rounds when the next one would exceed the budget, and stops the processes", async () => {
    const events: string[] = [];
    let round = 0;
    const stage = stageOf(async () => (++round < 3 ? { rate: 5 } : never));
    const scenario = scenarioOf(async ({ onEnd }) => {
      onEnd(() => events.push("closed"));
      return stage;
    });
    const stopAll = async () => void events.push("stopped");
    const result = await new ScenarioRun(scenario, setupOf({ budget: 0.2, asked: 5, stopAll })).run();
    assert.equal(result.rounds.length, 2);
    assert.match(result.cut ?? "", /stopped after/);
    assert.equal(result.error, undefined);
    assert.equal(result.measured?.rate, 2);
    assert.deepEqual(events, ["closed", "stopped"]);
  });

  it("fails when no round completes", async () => {
    const scenario = scenarioOf(async () => stageOf(() => never));
    const result = await new ScenarioRun(scenario, setupOf({ budget: 0.05 })).run();
    assert.match(result.error ?? "", /no round was completed, stopped after/);
  });

  it("keeps the rounds before an error and shows the error", async () => {
    let round = 0;
    const scenario = scenarioOf(async () =>
      stageOf(async () => {
        if (++round === 2) throw new Error("the receiver is gone");
        return { rate: 5 };
      }),
    );
    const result = await new ScenarioRun(scenario, setupOf({ asked: 3 })).run();
    assert.equal(result.error, "the receiver is gone");
    assert.equal(result.rounds.length, 1);
    assert.equal(result.measured?.rate, 1);
  });

  it("has a result at any time", async () => {
    let round = 0;
    let resolve = () => {};
    const waiting = new Promise<void>((done) => {
      resolve = done;
    });
    const scenario = scenarioOf(async () =>
      stageOf(async () => {
        if (++round === 2) {
          resolve();
          return never;
        }
        return { rate: 5 };
      }),
    );
    const run = new ScenarioRun(scenario, setupOf({ budget: 0.2, asked: 3 }));
    const end = run.run();
    await waiting;
    const result = run.result({ cut: "SIGINT" });
    assert.equal(result.rounds.length, 1);
    assert.equal(result.cut, "SIGINT");
    await end;
  });
});
