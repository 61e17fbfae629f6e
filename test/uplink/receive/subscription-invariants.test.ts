/** Invariants of the subscriptions on random sequences of events. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import fc from "fast-check";
import { matches } from "../../../src/topic.ts";
import { Subscriptions } from "../../../src/uplink/receive/subscriptions.ts";
import { type Command, commands, World } from "./subscription-world.ts";

const numRuns = Number(process.env.RUNS ?? 150);

type Check = (world: World, command: Command, before: { log: number }) => void;

/** Runs random sequences, checks after each event, then lets everything succeed. */
async function forAll(
  t: TestContext,
  check: Check,
  atEnd: (world: World) => void = () => {},
  examples: [Command[]][] = [],
): Promise<void> {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const tick = () => t.mock.timers.tick(1_000);
  await fc.assert(
    fc.asyncProperty(commands, async (all) => {
      const world = new World((options) => new Subscriptions(options));
      await world.tested.start();
      for (const command of all) {
        const before = { log: world.log.length };
        await world.run(command, tick);
        check(world, command, before);
      }
      await world.settle(tick);
      atEnd(world);
      await world.tested.stop();
    }),
    { numRuns, examples },
  );
}

const [stored, granted]: Command[] = [
  { type: "store", outcome: "done" },
  { type: "grant", session: 0 },
];
/** A filter moves to another session in a plan of which another instance changes an assignment. */
const MOVE_STORED_IN_PART: Command[] = [
  { type: "connect", session: 0, ids: true },
  { type: "register", webhook: 0, topics: ["a/#"] },
  stored!,
  { type: "interfere", record: 0 },
  { type: "register", webhook: 0, topics: ["a", "a/#", "#"] },
  { type: "drop", session: 0 },
  stored!,
  { type: "connect", session: 0, ids: false },
  stored!,
  granted!,
];

const wantedFilters = (world: World) =>
  [...new Set([...world.webhooks.values()].flatMap(({ topics }) => topics))].sort();
const wantedIn = ({ sessions }: World) => sessions.flatMap(({ wanted }) => [...wanted.keys()]).sort();

describe("subscriptions, on random sequences of events", () => {
  it("request every wanted filter in exactly one session in the end, and store exactly these", async (t) => {
    await forAll(
      t,
      () => {},
      (world) => {
        assert.deepEqual(wantedIn(world), wantedFilters(world));
        assert.deepEqual([...world.records.keys()].sort(), wantedFilters(world));
        assert.equal(world.tested.isSynchronized, true);
      },
    );
  });

  it("never request a filter that is not stored, or under another session or identifier", async (t) => {
    await forAll(t, ({ sessions, records, log }, { type }, before) => {
      if (type === "interfere") return;
      for (const [name, index] of log.slice(before.log) as [string, number][]) {
        if (name !== "want") continue;
        for (const [filter, id] of sessions[index]!.wanted) {
          const { session, id: stored } = records.get(filter)!.value;
          assert.deepEqual([session, stored], [index, id], filter);
        }
      }
    });
  });

  it("unsubscribe nothing that the session still wants", async (t) => {
    const check: Check = ({ sessions, log }, _command, before) => {
      for (const [name, index, filters] of log.slice(before.log) as [string, number, string[]][]) {
        if (name !== "leave") continue;
        for (const filter of filters) assert.ok(!sessions[index]!.wanted.has(filter), filter);
      }
    };
    await forAll(t, check, undefined, [[MOVE_STORED_IN_PART]]);
  });

  it("keep the record of each filter that a session wants or has not unsubscribed", async (t) => {
    await forAll(t, ({ sessions, records }) => {
      for (const { wanted, granted } of sessions) {
        for (const filter of [...wanted.keys(), ...granted.keys()]) assert.ok(records.has(filter), filter);
      }
    });
  });

  it("deliver each message once to each webhook in the end, whatever happened before", async (t) => {
    await forAll(
      t,
      () => {},
      ({ tested, sessions, webhooks }) => {
        for (const topic of ["a", "b", "a/b", "a/c", "$x/y"]) {
          // A copy for each subscription, with its identifier.
          const heard = sessions.flatMap(({ granted }, session) =>
            [...granted]
              .filter(([filter]) => matches(filter, topic))
              .flatMap(([, id]) => tested.route(topic, { session, ids: [id] }) ?? []),
          );
          const expected = [...webhooks.values()].filter(({ topics }) => topics.some((one) => matches(one, topic)));
          assert.deepEqual(heard.sort(), expected.map(({ id }) => id).sort(), topic);
        }
      },
    );
  });
});
