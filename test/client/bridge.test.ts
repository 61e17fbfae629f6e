/** Every resource of the client once, against a real bridge. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Causeway, isCausewayError, type MessageInput, payloadText } from "../../src/client/index.ts";
import { eventually } from "../support/eventually.ts";
import type { InProcess } from "../support/in-process.ts";
import { embedded, inProcess, scenario } from "../support/scenario.ts";

const API_KEY = "test-key-0123456789abcdef";

describe("the client with a bridge", () => {
  const world = scenario<InProcess>(embedded, { run: inProcess() });
  const client = (apiKey = API_KEY) => new Causeway({ url: world.bridge.bridge.address, apiKey });

  /** Ids of a list, page by page. */
  async function pagesOf<T>(list: { pages(): AsyncIterable<{ items: T[] }> }): Promise<T[][]> {
    const pages: T[][] = [];
    for await (const { items } of list.pages()) pages.push(items);
    return pages;
  }

  async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
    const found: T[] = [];
    for await (const item of items) found.push(item);
    return found;
  }

  it("publishes messages", async () => {
    const { messages } = client();
    await world.device.subscribeAsync("m/#", { qos: 1 });
    const arrived = new Promise<string[]>((resolve) => {
      world.device.once("message", (topic, payload) => resolve([topic, payload.toString()]));
    });
    const published = await messages.publish({ topic: "m/1", payload: { led: "on" } });
    assert.equal(published.outcome, "acknowledged");
    assert.deepEqual(await arrived, ["m/1", '{"led":"on"}']);

    const results = await messages.batch([{ topic: "m/1", qos: 0 }, { topic: "m/+" }]);
    assert.deepEqual(
      results.map((result) => ("code" in result ? result.code : result.outcome)),
      ["sent", "invalid_topic"],
    );
    await assert.rejects(messages.publish({ topic: "m/+" }), (error) => {
      assert.ok(isCausewayError(error, "invalid_topic"));
      assert.equal(error.errors[0]!.path, "topic");
      return true;
    });
  });

  it("publishes messages later", async () => {
    const { messages } = client();
    const later = await messages.publishLater({ topic: "m/2", sendAt: new Date(Date.now() + 3_600_000).toISOString() });
    assert.equal(later.outcome, "scheduled");
    const found = await messages.get(later.id);
    assert.equal(found.direction === "published" && found.outcome, "scheduled");
    await messages.cancel(later.id);
    await assert.rejects(messages.cancel(later.id), (error) => isCausewayError(error));
    assert.equal((await messages.publishLater({ topic: "m/2" })).outcome, "queued");
  });

  it("does the work of a repeated key once", async () => {
    const { messages } = client();
    const options = { idempotencyKey: "once" };
    const first = await messages.publish({ topic: "m/3", payload: 1 }, options);
    assert.deepEqual(await messages.publish({ topic: "m/3", payload: 1 }, options), first);
    const other = messages.publish({ topic: "m/3", payload: 2 }, options);
    await assert.rejects(other, (error) => isCausewayError(error, "idempotency_mismatch"));
  });

  it("reads, writes and lists topics", async () => {
    const { topics } = client();
    const bytes = Uint8Array.of(0, 255);
    await topics.retain("t/a/1", "interval=30", { contentType: "text/plain" });
    await topics.retain("t//b ü", bytes);
    await topics.retain("t/c", "{}");
    assert.equal((await topics.publish("t/c", bytes, { qos: 0, expirySeconds: 5 })).outcome, "sent");

    const text = await topics.get("t/a/1");
    assert.deepEqual([text.text(), text.qos, text.topic], ["interval=30", 1, "t/a/1"]);
    assert.match(text.etag, /^"/);
    assert.deepEqual((await topics.get("t//b ü")).payload, bytes);
    assert.deepEqual((await topics.get("t/c")).json(), {});
    const listed = await all(topics.list({ filter: "t/#", limit: 1 }));
    assert.deepEqual(
      listed.map(({ topic }) => topic),
      ["t//b ü", "t/a/1", "t/c"],
    );
    assert.equal((await topics.list({ filter: "t/#" }).page()).truncated, false);

    await topics.clear("t/c");
    await assert.rejects(topics.get("t/c"), (error) => isCausewayError(error, "no_retained_message"));
  });

  it("sends requests to devices", async () => {
    const { requests } = client();
    const device = await world.connect();
    device.on("message", (topic) => device.publish(topic.replace("requests", "responses"), '{"celsius":21.5}'));
    await device.subscribeAsync("pi/requests/+");
    const request = { topic: "pi/requests/{requestId}", responseTopic: "pi/responses/{requestId}" };
    const { outcome, response } = await requests.send(request);
    assert.deepEqual([outcome, response.payload], ["responded", { celsius: 21.5 }]);

    const stored = await requests.sendLater(request);
    await eventually(
      () => requests.get(stored.id),
      (state) => state.outcome === "responded",
    );
    const pending = await requests.sendLater({ ...request, topic: "nothing/{requestId}" });
    await requests.cancel(pending.id);
    assert.equal((await requests.get(pending.id)).outcome, "cancelled");

    const silent = requests.send({ ...request, topic: "nothing/{requestId}", timeoutSeconds: 0.2 });
    await assert.rejects(silent, (error) => isCausewayError(error, "request_timeout"));
  });

  it("registers webhooks and looks after their deliveries", async () => {
    const { messages, webhooks, deliveries } = client();
    const input = { url: world.receiver.url, topics: ["w/#"] };
    const webhook = await webhooks.create(input);
    assert.match(webhook.secret, /^whsec_/);
    assert.equal((await webhooks.get(webhook.id)).url, input.url);
    assert.equal((await webhooks.update(webhook.id, { name: "W" })).name, "W");
    assert.equal((await webhooks.pause(webhook.id)).state, "paused");
    assert.equal((await webhooks.resume(webhook.id)).state, "active");
    assert.notEqual((await webhooks.rotateSecret(webhook.id, { graceSeconds: 60 })).secret, webhook.secret);
    const preview = await webhooks.preview(input, { topic: "w/1", payload: 1 });
    assert.equal(preview.outcome, "sent");
    const previews = await webhooks.previewAll(input, [{ topic: "w/1" }, { topic: "w/+" }]);
    assert.deepEqual(
      previews.map((one) => ("code" in one ? one.code : one.outcome)),
      ["sent", "invalid_topic"],
    );
    const named = await webhooks.put("w:1", input);
    assert.match(named.secret ?? "", /^whsec_/);
    assert.deepEqual([(await webhooks.put("w:1", input)).id, named.externalId], [named.id, "w:1"]);
    assert.deepEqual(
      (await all(webhooks.list({ externalId: "w:1" }))).map(({ id }) => id),
      [named.id],
    );
    await webhooks.delete(named.id);

    const { messageId } = await webhooks.test(webhook.id);
    const done = await eventually(
      () => deliveries.get(webhook.id, messageId),
      ({ status }) => status === "succeeded",
    );
    assert.equal(done.attemptLog.length, 1);
    await deliveries.retry(webhook.id, messageId);
    await world.receiver.untilCalled(2);
    await eventually(
      () => deliveries.get(webhook.id, messageId),
      ({ status, attemptLog }) => status === "succeeded" && attemptLog.length === 2,
    );
    const ids = ({ messageId }: { messageId: string }) => messageId;
    assert.deepEqual((await all(deliveries.list({ webhookId: webhook.id }))).map(ids), [messageId]);
    assert.deepEqual((await all(deliveries.listOf(webhook.id, { status: "succeeded" }))).map(ids), [messageId]);
    const message = await messages.get(messageId);
    assert.deepEqual(
      message.direction === "received" && message.deliveries.map(({ webhookId, status }) => [webhookId, status]),
      [[webhook.id, "succeeded"]],
    );

    assert.equal(await webhooks.countReplay(webhook.id, { status: "succeeded" }), 1);
    const replay = await webhooks.replay(webhook.id, { status: "succeeded" });
    await eventually(
      () => webhooks.getReplay(webhook.id, replay.id),
      ({ state }) => state === "finished",
    );
    await assert.rejects(webhooks.cancelReplay(webhook.id, "rpl_x"), (error) => isCausewayError(error));

    await webhooks.delete(webhook.id);
    await assert.rejects(webhooks.get(webhook.id), (error) => isCausewayError(error, "not_found"));
  });

  it("goes through lists page by page", async () => {
    const { webhooks } = client();
    for await (const { id } of webhooks.list()) await webhooks.delete(id);
    for (let i = 0; i < 7; i++) await webhooks.create({ url: world.receiver.url, topics: [`list/${i}`] });
    const pages = await pagesOf(webhooks.list({ limit: 3 }));
    assert.deepEqual(
      pages.map(({ length }) => length),
      [3, 3, 1],
    );
    assert.deepEqual(await all(webhooks.list({ limit: 2 })), pages.flat());
    const { nextCursor } = await webhooks.list({ limit: 3 }).page();
    assert.deepEqual(await all(webhooks.list({ after: nextCursor! })), pages.flat().slice(3));
    for await (const { id } of webhooks.list()) await webhooks.delete(id);
    assert.deepEqual((await webhooks.list().page()).items, []);
  });

  it("creates keys, and reports their limits", async () => {
    const { keys } = client();
    const { id, key } = await keys.create({ name: "k", scopes: ["publish"], publish: ["k/#"] });
    assert.deepEqual(
      (await all(keys.list())).map((found) => found.id),
      [id],
    );
    const limited = client(key);
    await limited.messages.publish({ topic: "k/1" });
    await assert.rejects(limited.messages.publish({ topic: "x" }), (error) =>
      isCausewayError(error, "forbidden_topic"),
    );
    await assert.rejects(limited.status(), (error) => isCausewayError(error, "insufficient_scope"));
    await keys.delete(id);
    await assert.rejects(limited.messages.publish({ topic: "k/1" }), (error) => isCausewayError(error, "unauthorized"));
  });

  it("returns the status", async () => {
    assert.equal((await client().status()).broker?.connected, true);
  });

  it("streams messages", async () => {
    // The device repeats its message: the client does not tell when the stream is open.
    const device = setInterval(() => world.device.publish("s/1", '{"n":1.10}'), 20);
    try {
      for await (const event of client().stream(["s/#"])) {
        assert.deepEqual([event.subject, event.mqttqos, payloadText(event)], ["s/1", 0, '{"n":1.10}']);
        break;
      }
    } finally {
      clearInterval(device);
    }
  });

  it("publishes 10,000 messages and has a result for each, in order", async () => {
    async function* messages(): AsyncGenerator<MessageInput> {
      for (let i = 0; i < 10_000; i++) yield i === 5_000 ? { topic: "#" } : { topic: "many/x", payload: i, qos: 0 };
    }
    let count = 0;
    for await (const result of client().publishMany(messages())) {
      if (count === 5_000) assert.ok("code" in result && result.code === "invalid_topic");
      else assert.equal(result.status, 200);
      count++;
    }
    assert.equal(count, 10_000);
  });

  it("publishes many messages as batches where bodies cannot be streams", async () => {
    const messages = Array.from({ length: 1_001 }, () => ({ topic: "many/x", qos: 0 as const }));
    const results = await all(client().publishMany(messages, { mode: "batches" }));
    assert.equal(results.filter(({ status }) => status === 200).length, 1_001);
  });
});
