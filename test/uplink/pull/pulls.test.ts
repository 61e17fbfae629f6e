/** Pulls: waiting, limits, and consumers that go. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Refused } from "../../../src/errors.ts";
import type { DeliveryLease } from "../../../src/uplink/pull/lease.ts";
import { Pulls } from "../../../src/uplink/pull/pulls.ts";
import type { PulledDelivery, Taker } from "../../../src/uplink/pull/take.ts";
import type { DeliveryQueue } from "../../../src/uplink/queue/delivery-queue.ts";
import { DEFAULTS, type Webhook } from "../../../src/webhooks/webhook.ts";

const webhook = { ...DEFAULTS, id: "wh_1", type: "pull" } as unknown as Webhook;
const never = new AbortController().signal;

function setup(take: Taker["take"], current: () => Webhook | undefined = () => webhook) {
  let added = (_webhookId: string): void => {};
  const checks: string[] = [];
  const of = (id: string) =>
    ({
      leases: { recoverExpired: async () => void checks.push(id) },
      get: async (messageId: string) => (messageId === "b" ? undefined : { attemptsMade: 0 }),
    }) as unknown as DeliveryQueue;
  const pulls = new Pulls({
    webhooks: { get: current },
    queues: { of, onAdded: (listener) => (added = listener) },
    taker: { take, retake: async () => [] },
    ending: { attempt: async () => true },
  });
  const pull = (waitMs: number, signal = never) =>
    pulls.pull(webhook, { max: 10, leaseMs: 1_000, waitMs, signal, mayRead: () => true });
  return { pulls, pull, checks, add: () => added(webhook.id) };
}

function delivery(messageId: string, released: string[] = []): PulledDelivery {
  const release = async () => released.push(messageId);
  return { messageId, attempt: 1, leaseToken: "t", event: Buffer.from("{}"), release };
}

describe("a pull", () => {
  it("returns at once without a wait, after a look for expired leases", async () => {
    const { pull, checks } = setup(async () => []);
    assert.deepEqual([await pull(0), checks], [[], ["wh_1"]]);
  });

  it("takes again when a delivery is added, also while it was taking", async () => {
    let takes = 0;
    const { pull, add } = setup(async () => {
      if (++takes === 3) return [delivery("a")];
      if (takes === 1) add();
      else setImmediate(add);
      return [];
    });
    const items = await pull(60_000);
    assert.ok(!(items instanceof Refused));
    assert.deepEqual([items.map(({ messageId }) => messageId), takes], [["a"], 3]);
  });

  it("ends its wait when the process stops, and when the webhook is removed", async () => {
    const { pull, pulls } = setup(async () => []);
    const waiting = pull(60_000);
    pulls.stop();
    assert.deepEqual(await waiting, []);
    assert.deepEqual(
      await setup(
        async () => [],
        () => undefined,
      ).pull(60_000),
      [],
    );
  });

  it("takes nothing while the webhook is paused", async () => {
    const { pulls } = setup(() => assert.fail("nothing is taken"));
    const options = { max: 1, leaseMs: 1, waitMs: 0, signal: never, mayRead: () => true };
    assert.deepEqual(await pulls.pull({ ...webhook, enabled: false }, options), []);
  });

  it("returns what it has taken to the head of the queue, in order, when its consumer has gone", async () => {
    const gone = new AbortController();
    const released: string[] = [];
    const { pull } = setup(async () => {
      gone.abort();
      return [delivery("a", released), delivery("b", released)];
    });
    assert.deepEqual([await pull(0, gone.signal), released], [[], ["b", "a"]]);
  });

  it("is refused with a time to retry while 100 of its webhook are running", async () => {
    const { pull, pulls } = setup(async () => []);
    const running = Array.from({ length: 100 }, () => pull(60_000));
    const refused = await pull(0);
    assert.ok(refused instanceof Refused);
    assert.deepEqual([refused.code, refused.retryAfterSeconds], ["rate_limited", 1]);
    pulls.stop();
    await Promise.all(running);
    assert.deepEqual(await pull(0), []);
  });
});

describe("the end of leases", () => {
  it("counts a repeated item once, and lists what the tokens do not hold", async () => {
    const { pulls } = setup(async () => []);
    const [a, b] = ["a", "b"].map((messageId) => ({ messageId, leaseToken: "t" })) as [DeliveryLease, DeliveryLease];
    assert.deepEqual(await pulls.ack(webhook, [a, a, b]), { ended: 1, unknown: ["b"] });
    assert.deepEqual(await pulls.nack(webhook, [a, a, b], 0), { ended: 1, unknown: ["b"] });
  });
});
