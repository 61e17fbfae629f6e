/** The reducer does what the class does, on random sequences of events. */
import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { Subscriptions } from "../../../src/uplink/receive/subscriptions.ts";
import { Subscriptions as Reduced } from "./reduced-subscriptions.ts";
import { commands, World } from "./subscription-world.ts";

const RUNS = Number(process.env.RUNS ?? 200);

it("the reduced subscriptions are equal to the former ones", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let changes = 0;
  await fc.assert(
    fc.asyncProperty(commands, async (all) => {
      const former = new World((options) => new Subscriptions(options));
      const reduced = new World((options) => new Reduced(options));
      await former.tested.start();
      await reduced.tested.start();
      const ticks = [former, reduced] as const;
      for (const command of all) {
        const isSecond = command.type === "second";
        for (const [i, world] of ticks.entries()) await world.run(command, () => i === 0 && t.mock.timers.tick(1_000));
        assert.deepEqual(reduced.view, former.view, isSecond ? "after a second" : command.type);
      }
      changes += former.log.length;
    }),
    { numRuns: RUNS },
  );
  t.diagnostic(`${RUNS} sequences, ${changes} requests to broker and store`);
});
