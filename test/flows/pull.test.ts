/** Pull delivery over HTTP, on both stores. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../support/eventually.ts";
import { embedded, type Kind, mosquittoAndRedis, scenario } from "../support/scenario.ts";

interface Item {
  messageId: string;
  attempt: number;
  leaseToken: string;
  event: { subject: string; data: unknown; sequence?: string };
}

// At the same time: both mostly wait for leases to end.
describe("pull", { concurrency: true }, () => {
  for (const kind of [embedded, mosquittoAndRedis("5")] satisfies Kind[]) {
    describe(`pull: ${kind.name}`, { ...kind.options, concurrency: 1 }, () => {
      const world = scenario(kind);
      let topics = 0;
      const publish = (topic: string, payload: string) => world.device.publishAsync(topic, payload, { qos: 1 });
      const leasesOf = (items: Item[]) => items.map(({ messageId, leaseToken }) => ({ messageId, leaseToken }));

      /** Registers a pull webhook on a topic of its own. */
      async function consumer(fields: Record<string, unknown> = {}) {
        const topic = `pull/${topics++}`;
        const { id } = await world.bridge.register({ type: "pull", topics: [`${topic}/#`], ...fields });
        const call = async (action: string, body: object, bridge = world.bridge) =>
          (await bridge.api("POST", `/v1/webhooks/${id}/${action}`, body)).body;
        return {
          id,
          topic,
          pull: async (options: object = {}, bridge = world.bridge): Promise<Item[]> =>
            (await call("pull", { waitSeconds: 20, ...options }, bridge)).items,
          ack: (items: Item[], bridge = world.bridge) => call("ack", { items: leasesOf(items) }, bridge),
          nack: (items: Item[], delaySeconds = 0) => call("nack", { items: leasesOf(items), delaySeconds }),
          counts: async () => (await world.bridge.api("GET", `/v1/webhooks/${id}`)).body.counts,
        };
      }

      it("hands out the event byte for byte, and ends it with its lease token only", async () => {
        const { id, topic, pull, ack, counts } = await consumer();
        await publish(`${topic}/a`, '{"n":12345678901234567890,"x":1.10}');
        const { bytes, body } = await world.bridge.api("POST", `/v1/webhooks/${id}/pull`, { waitSeconds: 20 });
        assert.match(bytes.toString(), /"data":\{"n":12345678901234567890,"x":1\.10\}\}\}\]\}$/);
        const [item] = body.items as Item[];
        assert.deepEqual([item!.attempt, item!.event.subject], [1, `${topic}/a`]);
        const { messageId } = item!;
        assert.deepEqual(await ack([{ ...item!, leaseToken: "other" }]), { acked: 0, unknown: [messageId] });
        assert.deepEqual(await ack([item!]), { acked: 1, unknown: [] });
        assert.deepEqual(await ack([item!]), { acked: 0, unknown: [messageId] });
        assert.deepEqual(await pull({ waitSeconds: 0 }), []);
        const { succeeded, active } = await counts();
        assert.deepEqual([succeeded, active], [1, 0]);
        const delivery = (await world.bridge.api("GET", `/v1/webhooks/${id}/deliveries/${messageId}`)).body;
        assert.deepEqual([delivery.status, delivery.attempts, delivery.attemptLog.length], ["succeeded", 1, 1]);
      });

      it("waits for a delivery, and wakes as soon as one is added", async () => {
        const { topic, pull, ack } = await consumer();
        const waiting = pull({ waitSeconds: 60 });
        await publish(topic, "1");
        const items = await waiting;
        assert.equal(items.length, 1);
        await ack(items);
      });

      it("hands a delivery out again after its lease, with the next attempt", async () => {
        const { id, topic, pull, ack } = await consumer();
        await publish(topic, "1");
        const [first] = await pull({ leaseSeconds: 1 });
        const [second] = await pull();
        assert.deepEqual([second!.messageId, second!.attempt], [first!.messageId, 2]);
        assert.equal((await ack([first!])).acked, 0);
        assert.equal((await ack([second!])).acked, 1);
        const { body } = await world.bridge.api("GET", `/v1/webhooks/${id}/deliveries/${first!.messageId}`);
        assert.deepEqual(
          body.attemptLog.map(({ error }: { error: string | null }) => error),
          ["lease_expired", null],
        );
      });

      it("shows a delivery as pending once its lease has run out, also without a pull", async () => {
        const { id, topic, pull, counts } = await consumer();
        await publish(topic, "1");
        const [item] = await pull({ leaseSeconds: 1 });
        assert.equal((await counts()).active, 1);
        const path = `/v1/webhooks/${id}/deliveries`;
        const status = async () => (await world.bridge.api("GET", `${path}/${item!.messageId}`)).body.status;
        await eventually(status, (found) => found === "pending");
        const { pending, active } = await counts();
        assert.deepEqual([pending, active], [1, 0]);
        const listed = async (query: string) => (await world.bridge.api("GET", `${path}?status=${query}`)).body.items;
        assert.deepEqual([(await listed("pending")).length, (await listed("active")).length], [1, 0]);
      });

      it("returns the same leases for the same Idempotency-Key, and starts them again", async () => {
        const { id, topic, pull, ack, counts } = await consumer();
        for (const payload of ["1.10", "2"]) await publish(topic, payload);
        await eventually(counts, ({ pending }) => pending === 2);
        const call = (body: object) =>
          world.bridge.api("POST", `/v1/webhooks/${id}/pull`, body, { "idempotency-key": "k" });
        const body = { leaseSeconds: 4 };
        const from = Date.now();
        const first = await call(body);
        assert.equal(first.body.items.length, 2);
        await delay(2_000);
        const again = await call(body);
        assert.deepEqual([again.status, again.bytes.toString()], [200, first.bytes.toString()]);
        assert.equal(again.headers.get("idempotent-replayed"), "true");
        assert.equal((await call({ max: 1 })).body.code, "idempotency_mismatch");
        // Beyond the first lease, within the second.
        await delay(Math.max(0, from + 4_200 - Date.now()));
        const [one, two] = again.body.items as [Item, Item];
        assert.equal((await ack([one])).acked, 1);
        assert.deepEqual(
          (await call(body)).body.items.map(({ messageId }: Item) => messageId),
          [two.messageId],
        );
        assert.equal((await ack([two])).acked, 1);
        const ended = await call(body);
        assert.deepEqual([ended.status, ended.body.code], [409, "conflict"]);
        assert.deepEqual(await pull({ waitSeconds: 0 }), []);
      });

      it("ends the wait of a pull when its webhook is removed, and refuses its leases", async () => {
        const { id, topic, pull, ack } = await consumer();
        await publish(topic, "1");
        const items = await pull();
        const waiting = pull({ waitSeconds: 60 });
        assert.equal((await world.bridge.api("DELETE", `/v1/webhooks/${id}`)).status, 204);
        assert.deepEqual(await waiting, []);
        assert.equal((await ack(items)).code, "not_found");
      });

      it("ends leases while paused, whatever becomes of the deliveries", async () => {
        const { id, topic, pull, ack, nack, counts } = await consumer();
        for (const payload of ["1", "2"]) await publish(topic, payload);
        const items: Item[] = [];
        while (items.length < 2) items.push(...(await pull()));
        await world.bridge.api("POST", `/v1/webhooks/${id}/pause`);
        const [one, two] = items as [Item, Item];
        assert.equal((await ack([one])).acked, 1);
        assert.equal((await nack([two])).nacked, 1);
        assert.deepEqual(await pull({ waitSeconds: 0 }), []);
        const { pending, active, succeeded } = await counts();
        assert.deepEqual([pending, active, succeeded], [1, 0, 1]);
      });

      it("hands a returned delivery out after its delay, at once by default", async () => {
        const { topic, pull, ack, nack } = await consumer();
        await publish(topic, "1");
        const first = await pull();
        assert.deepEqual(await nack(first), { nacked: 1, unknown: [] });
        const second = await pull({ waitSeconds: 0 });
        assert.equal(second[0]!.attempt, 2);
        const from = Date.now();
        await nack(second, 2);
        assert.deepEqual(await pull({ waitSeconds: 0 }), []);
        const third = await pull();
        assert.ok(Date.now() - from >= 2_000);
        assert.equal(third[0]!.attempt, 3);
        await ack(third);
      });

      it("makes a dead letter after the last attempt, and a retry begins anew", async () => {
        const { id, topic, pull, nack, ack, counts } = await consumer({ retry: { scheduleSeconds: [1] } });
        await publish(topic, "1");
        await pull({ leaseSeconds: 1 });
        const [item] = await pull();
        assert.equal(item!.attempt, 2);
        assert.equal((await nack([item!], 60)).nacked, 1);
        assert.equal((await counts()).failed, 1);
        const path = `/v1/webhooks/${id}/deliveries/${item!.messageId}`;
        const delivery = (await world.bridge.api("GET", path)).body;
        assert.deepEqual([delivery.attempts, delivery.lastAttempt.error], [2, "nacked"]);
        await world.bridge.api("POST", `${path}/retry`);
        const [again] = await pull();
        assert.deepEqual([again!.messageId, again!.attempt], [item!.messageId, 1]);
        await pull({ leaseSeconds: 1, waitSeconds: 0 });
        assert.equal((await ack([again!])).acked, 1);
        assert.equal((await counts()).failed, 0);
      });

      it("filters and transforms, and hands out test events", async () => {
        const { id, topic, pull, ack } = await consumer({ filter: "data.v > 1", transform: "{'double': data.v * 2}" });
        for (const v of [1, 2]) await publish(topic, JSON.stringify({ v }));
        const items = await pull();
        assert.deepEqual(
          items.map(({ event }) => event.data),
          [{ double: 4 }],
        );
        await ack(items);
        await world.bridge.api("POST", `/v1/webhooks/${id}/test`);
        const [event] = await pull();
        assert.equal((event!.event as unknown as { type: string }).type, "webhook.test");
      });

      it("keeps the order of each topic: one delivery of a topic at a time", async () => {
        const { topic, pull, ack, nack } = await consumer({ ordering: "topic" });
        for (let i = 0; i < 6; i++) for (const name of ["a", "b"]) await publish(`${topic}/${name}`, String(i));
        const order: Record<string, unknown[]> = {};
        let returned = false;
        while (Object.values(order).flat().length < 12) {
          const items = await pull({ max: 100 });
          assert.ok(items.length <= 2);
          if (!returned) {
            returned = true;
            await nack(items, 1);
            continue;
          }
          for (const { event } of items) order[event.subject] = [...(order[event.subject] ?? []), event.data];
          await ack(items);
        }
        const expected = [0, 1, 2, 3, 4, 5];
        assert.deepEqual(order, { [`${topic}/a`]: expected, [`${topic}/b`]: expected });
      });

      it("hands out nothing while paused, and everything collected meanwhile after it", async () => {
        const { id, topic, pull, ack } = await consumer();
        await world.bridge.api("POST", `/v1/webhooks/${id}/pause`);
        await publish(topic, "1");
        assert.deepEqual(await pull({ waitSeconds: 1 }), []);
        const waiting = pull();
        await world.bridge.api("POST", `/v1/webhooks/${id}/resume`);
        const items = await waiting;
        assert.equal((await ack(items)).acked, 1);
      });

      it("returns what it took for a consumer that has gone, and uses up no attempt", async () => {
        const { id, topic, pull } = await consumer();
        const gone = new AbortController();
        const headers = { authorization: "Bearer test-key-0123456789abcdef", "content-type": "application/json" };
        const body = JSON.stringify({ waitSeconds: 60 });
        const url = `${world.bridge.url}/v1/webhooks/${id}/pull`;
        const ended = fetch(url, { method: "POST", headers, body, signal: gone.signal }).catch(() => undefined);
        await delay(200);
        gone.abort();
        await ended;
        await publish(topic, "1");
        assert.equal((await pull({ waitSeconds: 30 }))[0]!.attempt, 1);
      });

      it("refuses a push webhook with 409, and settings of calls by their names", async () => {
        const { id } = await world.bridge.register({ url: world.receiver.url, topics: ["x"] });
        assert.equal((await world.bridge.api("POST", `/v1/webhooks/${id}/pull`)).status, 409);
        const given = {
          url: "https://example.com/",
          headers: { a: "b" },
          mode: "binary",
          timeoutMs: 1_000,
          verify: true,
        };
        const refused = await world.bridge.api("POST", "/v1/webhooks", { type: "pull", topics: ["x"], ...given });
        const paths = refused.body.errors.map(({ path }: { path: string }) => path).sort();
        assert.deepEqual([refused.status, paths], [400, Object.keys(given).sort()]);
        const patched = await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { type: "pull" });
        assert.deepEqual([patched.status, patched.body.errors[0].path], [400, "type"]);
        const pulled = await world.bridge.register({ type: "pull", topics: ["x"] });
        const shown = (await world.bridge.api("GET", `/v1/webhooks/${pulled.id}`)).body;
        assert.deepEqual([shown.type, "url" in shown], ["pull", false]);
        const moved = await world.bridge.api("PATCH", `/v1/webhooks/${pulled.id}`, { url: "https://example.com/" });
        assert.deepEqual([moved.status, moved.body.errors[0].path], [400, "url"]);
      });

      it("keeps a lease across a restart, and ends it there or at another instance", async () => {
        const { id, topic, counts, pull, ack } = await consumer();
        for (const payload of ["1", "2"]) await publish(topic, payload);
        await eventually(counts, ({ pending }) => pending === 2);
        const call = async (bridge = world.bridge): Promise<Item[]> => {
          const key = { "idempotency-key": "across" };
          return (await bridge.api("POST", `/v1/webhooks/${id}/pull`, { leaseSeconds: 600 }, key)).body.items;
        };
        const items = await call();
        if (kind.store === "redis") {
          const other = await world.addBridge();
          assert.deepEqual(await call(other), items);
          assert.equal((await ack([items.pop()!], other)).acked, 1);
          await other.stop();
        }
        await world.bridge.kill();
        await world.bridge.start();
        assert.deepEqual(await pull({ waitSeconds: 0 }), []);
        assert.deepEqual(await call(), items);
        assert.equal((await ack(items)).acked, items.length);
      });
    });
  }
});
