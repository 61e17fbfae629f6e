/** Invariants of the subscriptions on random sequences of events. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { matches } from "../../../src/topic.ts";
import { Subscriptions } from "../../../src/uplink/receive/subscriptions.ts";
import fc from "../../support/property.ts";
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

const connect = (session: number, ids = false): Command => ({ type: "connect", session, ids });
const register = (topics: string[], webhook = 0): Command => ({ type: "register", webhook, topics });
const grant = (session: number): Command => ({ type: "grant", session });
const confirm = (session: number): Command => ({ type: "confirm", session, count: 1 });
const drop = (session: number): Command => ({ type: "drop", session });
const interfere = (record: number): Command => ({ type: "interfere", record });
const store = (outcome: "done" | "failed" = "done"): Command => ({ type: "store", outcome });

// Found at random, and rare.
/** A filter moves to another session in a plan of which another instance changes an assignment. */
const MOVE_STORED_IN_PART: Command[] = [
  ...[connect(0, true), register(["a/#"]), store(), interfere(0), register(["a", "a/#", "#"])],
  ...[drop(0), store(), connect(0), store(), grant(0)],
];
/** A filter is left in two sessions, after a move between them, and the one with the record confirms first. */
const LEFT_IN_TWO_SESSIONS: Command[] = [
  ...[connect(0), register(["#", "a"]), store(), connect(1), grant(1), register([]), confirm(0)],
  ...[register(["a"]), store(), register([]), drop(0), connect(0), register([]), confirm(0)],
];
/** A filter is stored for a new session, then for another one, before any plan with it is followed. */
const SESSION_NEVER_OPENED: Command[] = [
  ...[connect(0), register(["a", "$x/#", "#"]), register(["a/+"]), store(), store(), register(["#", "a/+"], 1)],
  ...[store("failed"), register(["a/#"]), grant(0), register([]), interfere(3), store(), store()],
  ...[drop(0), register(["a/#"]), interfere(2), store("failed")],
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
    const check: Check = ({ sessions, records }) => {
      for (const { wanted, granted } of sessions) {
        for (const filter of [...wanted.keys(), ...granted.keys()]) assert.ok(records.has(filter), filter);
      }
    };
    await forAll(t, check, undefined, [[LEFT_IN_TWO_SESSIONS]]);
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
      [[SESSION_NEVER_OPENED]],
    );
  });
});
