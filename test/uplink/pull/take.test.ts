/** Taking deliveries for consumers: limits of a response, and responses that are made again. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type PulledDelivery, Taker } from "../../../src/uplink/pull/take.ts";
import type { DeliveryQueue } from "../../../src/uplink/queue/delivery-queue.ts";
import type { QueuedJob } from "../../../src/uplink/queue/job.ts";
import { DEFAULTS, type Webhook } from "../../../src/webhooks/webhook.ts";

const webhook = { ...DEFAULTS, id: "wh_1", type: "pull" } as unknown as Webhook;
const MIB = 1024 * 1024;

/** A queue of so many deliveries with payloads of this size; `held` has the tokens of those that are leased. */
function setup(count: number, payloadBytes = 1) {
  const job = (n: number): QueuedJob => {
    const data = { topic: "a", payload: Buffer.alloc(payloadBytes, "x").toString("base64"), receivedAt: 0, qos: 1 };
    return { id: `msg_${n}`, data, attemptsMade: 0, stalledCounter: 0 } as unknown as QueuedJob;
  };
  const held = new Map<string, string>();
  let next = 0;
  let takes = 0;
  const queue = {
    get: async (id: string) => job(Number(id.slice("msg_".length))),
    leases: {
      take: async (token: string) => {
        takes++;
        if (next === count) return undefined;
        const taken = job(next++);
        held.set(taken.id!, token);
        return taken;
      },
      hold: async ({ id }: QueuedJob, token: string) => held.get(id!) === token,
    },
  } as unknown as DeliveryQueue;
  const taker = new Taker({
    queues: { of: () => queue },
    prepare: async (_webhook, message) => ({ kind: "ready", message }) as never,
    ending: { attempt: async () => true, filtered: async () => {} },
    eventSource: "/causeway",
  });
  const take = (signal: AbortSignal, max = 500) =>
    taker.take(webhook, { max, leaseMs: 1_000, signal, mayRead: () => true });
  const retake = (items: PulledDelivery[]) =>
    taker.retake(webhook, items, { leaseMs: 1_000, signal: new AbortController().signal, mayRead: () => true });
  return { take, retake, held, takes: () => takes };
}

const idsOf = (items: PulledDelivery[]) => items.map(({ messageId }) => messageId);

describe("taking deliveries", () => {
  it("costs one round trip while none waits", async () => {
    const { take, takes } = setup(0);
    assert.deepEqual([await take(new AbortController().signal), takes()], [[], 1]);
  });

  it("takes up to max, in order", async () => {
    const { take } = setup(30);
    const items = await take(new AbortController().signal, 25);
    assert.deepEqual(
      idsOf(items),
      Array.from({ length: 25 }, (_, n) => `msg_${n}`),
    );
  });

  it("ends a response after 8 MiB of events", async () => {
    const { take } = setup(100, MIB);
    const bytes = (await take(new AbortController().signal)).reduce((sum, { event }) => sum + event.length, 0);
    assert.ok(bytes >= 8 * MIB && bytes < 24 * MIB, String(bytes));
  });

  it("takes nothing while responses of 128 MiB are not sent, and goes on when one is", async () => {
    const { take } = setup(200, MIB);
    const responses: AbortController[] = [];
    let count = 0;
    for (;;) {
      const response = new AbortController();
      const items = await take(response.signal);
      if (items.length === 0) break;
      responses.push(response);
      count += items.length;
    }
    assert.ok(count > 80 && count < 140, String(count));
    responses[0]!.abort();
    assert.ok((await take(new AbortController().signal)).length > 0);
  });

  it("makes a response again from the leases that are held", async () => {
    const { take, retake, held } = setup(25);
    const items = await take(new AbortController().signal);
    held.delete("msg_3");
    held.set("msg_4", "of another consumer");
    const again = await retake(items);
    const expected = items.filter(({ messageId }) => messageId !== "msg_3" && messageId !== "msg_4");
    const shown = (all: PulledDelivery[]) => all.map(({ release: _release, ...rest }) => rest);
    assert.deepEqual(shown(again), shown(expected));
  });
});
