/** The ledgers balance whatever happens: every received message and every delivery is accounted for exactly once. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assertBooksClose, ledgersOf } from "../support/books.ts";
import type { TestBridge } from "../support/bridge.ts";
import { startInstances } from "../support/instances.ts";
import { publishLoad } from "../support/load.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { embedded, mosquittoAndRedis, scenario } from "../support/scenario.ts";

type Json = Record<string, unknown>;

const NONE = { scheduleSeconds: [] };
const SOON = { scheduleSeconds: Array(50).fill(1) };
const MAX_WAITING = 20;
const MAX_PAYLOAD = 1_000;

for (const kind of [embedded, mosquittoAndRedis("5")]) {
  describe(`ledgers: ${kind.name}`, kind.options, () => {
    const world = scenario(kind, {
      env: { MAX_WAITING_DELIVERIES: String(MAX_WAITING), MAX_PAYLOAD_BYTES: String(MAX_PAYLOAD) },
    });

    const register = async (topic: string, webhook: Json = {}) =>
      (
        await world.bridge.register({
          url: `${world.receiver.url}/${topic}`,
          topics: [`${topic}/#`],
          retry: NONE,
          ...webhook,
        })
      ).id;
    const publish = async (topic: string, messages: number, payload = "1") => {
      for (let i = 0; i < messages; i++) await world.device.publishAsync(`${topic}/${i}`, payload, { qos: 1 });
    };
    /** Asserts that the ledgers balance and how their columns changed since `from`. */
    async function expectSince(
      from: Awaited<ReturnType<typeof ledgersOf>>,
      deliveries: Json,
      messages: Json,
      waiting = 0,
    ) {
      const now = await assertBooksClose(world.bridge, { waiting });
      const less = (a: object, b: object) =>
        Object.fromEntries(Object.entries(a).map(([key, n]) => [key, n - (b as Record<string, number>)[key]!]));
      const { unmatchedBy: _now, ...told } = now.messages;
      const { unmatchedBy: _from, ...before } = from.messages;
      assert.deepEqual(less(now.deliveries, from.deliveries), deliveries);
      assert.deepEqual(less(told, before), messages);
    }

    it("count each message and each delivery once, by its outcome", async () => {
      const start = await assertBooksClose(world.bridge);
      world.receiver.answer = ({ path }) => (path === "/dead" ? 500 : 204);
      const well = await register("well");
      const dead = await register("dead");
      await register("some", { topics: ["well/#"], filter: "data = 2" });
      const paused = await register("paused");
      await world.bridge.api("POST", `/v1/webhooks/${paused}/pause`);

      await publish("well", 10);
      await publish("well", 3, "2");
      await publish("well", 4, "x".repeat(MAX_PAYLOAD + 1));
      await publish("dead", 5);
      await publish("paused", MAX_WAITING + 7);
      await world.bridge.api("POST", `/v1/webhooks/${well}/test`);
      const enqueued = 10 + 3 + 5 + MAX_WAITING + 7;
      await expectSince(
        start,
        // Each message to `well` also goes to `some`; the bridge's own events count as deliveries, not as messages.
        { enqueued: enqueued + 13 + 1, succeeded: 13 + 13 + 1, failed: 5, waiting: MAX_WAITING, discarded: 7 },
        { received: enqueued + 4, unmatched: 4, enqueued },
        MAX_WAITING,
      );
      assert.equal((await ledgersOf(world.bridge)).messages.unmatchedBy.tooLarge, 4);
      assert.equal((await world.bridge.api("GET", `/v1/webhooks/${paused}`)).body.counts.discarded, 7);

      const again = await ledgersOf(world.bridge);
      world.receiver.answer = () => 204;
      const { items } = (await world.bridge.api("GET", `/v1/webhooks/${dead}/deliveries?status=failed`)).body;
      const made = await world.bridge.api("POST", `/v1/webhooks/${dead}/deliveries/${items[0].messageId}/retry`);
      assert.equal(made.status, 202);
      const replay = (body: Json, id: string) => world.bridge.api("POST", `/v1/webhooks/${id}/replay`, body);
      assert.equal((await replay({ status: "failed" }, dead)).status, 202);
      assert.equal((await replay({ status: "succeeded" }, well)).status, 202);
      // All five of `dead` and all of `well` once more.
      await world.receiver.untilCalled(14 + 3 + 5 + 5 + 14);
      const nothing = { received: 0, unmatched: 0, enqueued: 0 };
      const change = { enqueued: 0, waiting: 0, discarded: 0 };
      await expectSince(again, { ...change, succeeded: 5, failed: -5 }, nothing, MAX_WAITING);

      for (const id of [paused, well])
        assert.equal((await world.bridge.api("DELETE", `/v1/webhooks/${id}`)).status, 204);
      await expectSince(
        again,
        { ...change, succeeded: 5, failed: -5, waiting: -MAX_WAITING, discarded: MAX_WAITING },
        nothing,
      );

      const last = await ledgersOf(world.bridge);
      await world.bridge.stop();
      await world.bridge.start();
      assert.deepEqual(await assertBooksClose(world.bridge), last, "after a restart");
      const { bytes } = await world.bridge.api("GET", "/metrics");
      const { enqueued: all } = last.deliveries;
      assert.match(bytes.toString(), new RegExp(`^causeway_books_deliveries\\{column="enqueued"\\} ${all}$`, "m"));
      assert.match(bytes.toString(), /^causeway_books_messages\{column="unmatched"\} 4$/m);
    });
  });
}

describe("ledgers of two instances", requireOrSkip("mosquitto", "redis-server"), () => {
  it("are shared, and balance after the receiving instance was killed", async (t) => {
    const { bridges, mosquitto, receiver } = await startInstances(t);
    const [a, b] = bridges as [TestBridge, TestBridge];
    const count = 800;
    await a.register({ url: receiver.url, topics: ["load/#"], retry: SOON });
    const { id } = await a.register({ url: `${receiver.url}/gone`, topics: ["load/#"], retry: SOON });
    const load = publishLoad(mosquitto.url, { count, perSecond: 400 });
    t.after(() => load.close());
    await receiver.untilCalled(200);
    await a.kill();
    await a.start();
    await load.done;
    const books = await assertBooksClose(b, { receiver });
    assert.deepEqual(await assertBooksClose(a), books);
    const { enqueued } = books.deliveries;
    assert.ok(enqueued >= 2 * count && books.messages.received >= count, JSON.stringify(books));

    // The receiving instance is killed while messages for it arrive.
    const more = publishLoad(mosquitto.url, { count: 400, perSecond: 400 });
    t.after(() => more.close());
    await receiver.untilCalled(receiver.attempts.length + 200);
    assert.equal((await b.api("DELETE", `/v1/webhooks/${id}`)).status, 204);
    await more.done;
    const { deliveries } = await assertBooksClose(a);
    assert.deepEqual((await assertBooksClose(b)).deliveries, deliveries);
    assert.ok(deliveries.enqueued >= enqueued + 400 && deliveries.failed === 0, JSON.stringify(deliveries));
  });
});
