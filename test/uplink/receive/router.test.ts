/** Plan and router together, for every way in which brokers send copies of a message. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { matches, overlaps } from "../../../src/topic.ts";
import {
  type Assignment,
  planSubscriptions,
  wantedFilters,
} from "../../../src/uplink/receive/reconciliation/session-plan.ts";
import { type Copy, Router } from "../../../src/uplink/receive/router.ts";
import fc from "../../support/property.ts";

const level = fc.constantFrom("a", "b", "", "$x");
const topic = fc
  .array(level, { minLength: 1, maxLength: 4 })
  .map((levels) => levels.join("/"))
  .filter((t) => t !== "");
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant("+")), { maxLength: 3 }), fc.boolean())
  .map(([levels, hash]) => [...levels, ...(hash ? ["#"] : [])].join("/"))
  .filter((f) => f !== "");
const webhooks = fc
  .array(fc.uniqueArray(filter, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 5 })
  .map((all) => all.map((topics, i) => ({ webhookId: `wh_${i}`, topics, qos: 1 as const })));

/** Copies of one message for a session, as a kind of broker sends them. */
type Broker = (matching: Assignment[], session: number) => Copy[];
const brokers: Record<string, { copiesCarryIds: boolean; send: Broker }> = {
  "MQTT 5, a copy for each filter": {
    copiesCarryIds: true,
    send: (matching, session) => matching.map(({ id }) => ({ session, ids: [id] })),
  },
  "MQTT 5, one copy with all identifiers": {
    copiesCarryIds: true,
    send: (matching, session) => [{ session, ids: matching.map(({ id }) => id) }],
  },
  "3.1.1, one copy": { copiesCarryIds: false, send: (_matching, session) => [{ session }] },
  "3.1.1, a copy for each filter": {
    copiesCarryIds: false,
    send: (matching, session) => matching.map(() => ({ session })),
  },
};

function deliveries(
  all: { webhookId: string; topics: string[] }[],
  assignments: ReadonlyMap<string, Assignment>,
  send: Broker,
  name: string,
): string[] {
  const router = new Router(all, assignments);
  const sessions = new Map<number, Assignment[]>();
  for (const [f, assignment] of assignments) {
    if (!matches(f, name)) continue;
    sessions.set(assignment.session, [...(sessions.get(assignment.session) ?? []), assignment]);
  }
  const copies = [...sessions].flatMap(([session, matching]) => send(matching, session));
  return copies.flatMap((copy) => router.route(name, copy) ?? []).sort();
}

const wanted = (all: { webhookId: string; topics: string[] }[], name: string) =>
  all.filter(({ topics }) => topics.some((f) => matches(f, name))).map(({ webhookId }) => webhookId);

describe("plan and router", () => {
  for (const [kind, { copiesCarryIds, send }] of Object.entries(brokers)) {
    it(`pass each message once to each webhook that wants it (${kind})`, () => {
      fc.assert(
        fc.property(webhooks, topic, (all, name) => {
          const { assignments } = planSubscriptions([...wantedFilters(all).keys()], new Map(), copiesCarryIds);
          assert.deepEqual(deliveries(all, assignments, send, name), wanted(all, name));
        }),
        { numRuns: 500 },
      );
    });

    it(`pass each message once after the webhooks have changed (${kind})`, () => {
      fc.assert(
        fc.property(webhooks, webhooks, topic, (before, after, name) => {
          const past = planSubscriptions([...wantedFilters(before).keys()], new Map(), copiesCarryIds).assignments;
          const { assignments } = planSubscriptions([...wantedFilters(after).keys()], past, copiesCarryIds);
          assert.deepEqual(deliveries(after, assignments, send, name), wanted(after, name));
        }),
        { numRuns: 500 },
      );
    });
  }

  it("never put overlapping filters into one session where copies cannot be told apart", () => {
    fc.assert(
      fc.property(fc.uniqueArray(filter, { maxLength: 8 }), fc.uniqueArray(filter, { maxLength: 8 }), (old, now) => {
        const past = planSubscriptions(old, new Map(), true).assignments; // left by a broker with MQTT 5
        const { assignments } = planSubscriptions(now, past, false);
        for (const [a, one] of assignments) {
          for (const [b, other] of assignments) {
            if (a !== b && one.session === other.session) assert.ok(!overlaps(a, b), `${a} and ${b}`);
          }
        }
      }),
    );
  });

  it("keep assignments, give new filters new identifiers and list stale filters", () => {
    const past = new Map([
      ["a/#", { session: 0, id: 7 }],
      ["gone", { session: 1, id: 3 }],
    ]);
    const { assignments, stale } = planSubscriptions(["new", "a/#"], past, true);
    assert.deepEqual(assignments.get("a/#"), { session: 0, id: 7 });
    assert.deepEqual(assignments.get("new"), { session: 0, id: 8 });
    assert.deepEqual(stale, [{ filter: "gone", session: 1 }]);
  });

  it("move a filter that may not stay, and list its old place as stale", () => {
    const past = planSubscriptions(["a/#", "a/b"], new Map(), true).assignments;
    const { assignments, stale } = planSubscriptions(["a/#", "a/b"], past, false);
    assert.equal(assignments.get("a/#")?.session, 0);
    assert.equal(assignments.get("a/b")?.session, 1);
    assert.deepEqual(stale, [{ filter: "a/b", session: 0 }]);
  });

  it("subscribe with the highest QoS that any webhook wants", () => {
    const qos = wantedFilters([
      { topics: ["a", "b"], qos: 0 },
      { topics: ["a"], qos: 2 },
      { topics: ["a"], qos: 1 },
    ]);
    assert.deepEqual(
      [...qos],
      [
        ["a", 2],
        ["b", 0],
      ],
    );
  });

  it("route topics with as many levels as MQTT allows", () => {
    const router = new Router([{ webhookId: "wh_1", topics: ["#"] }], new Map([["#", { session: 0, id: 1 }]]));
    assert.deepEqual(router.route("/".repeat(65_535), { session: 0, ids: [1] }), ["wh_1"]);
  });

  it("distinguish a topic without a webhook from a copy for another session", () => {
    const assignments = new Map([
      ["a/#", { session: 0, id: 1 }],
      ["a/b", { session: 1, id: 2 }],
    ]);
    const router = new Router([{ webhookId: "wh_1", topics: ["a/#", "a/b"] }], assignments);
    assert.deepEqual(router.route("other", { session: 0 }), []);
    assert.equal(router.route("a/b", { session: 1 }), undefined);
    assert.deepEqual(router.route("a/b", { session: 0 }), ["wh_1"]);
  });
});
