/** Content of deliveries with the real process: filter, transform, preview and test event. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readEvent } from "../support/events.ts";
import { eventually } from "../support/eventually.ts";
import { embedded, mosquittoAndRedis, scenario } from "../support/scenario.ts";

type Json = Record<string, unknown>;
const CATASTROPHIC = '$contains("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", /^(a+)+$/)';

for (const kind of [embedded, mosquittoAndRedis("5")]) {
  describe(`expressions, previews and test events: ${kind.name}`, kind.options, () => {
    const world = scenario(kind);

    const register = (topic: string, fields: Json) =>
      world.bridge.register({ url: `${world.receiver.url}/${topic}`, topics: [topic], ...fields });
    const publish = (topic: string, payload: string) => world.device.publishAsync(topic, payload, { qos: 1 });
    const calls = (topic: string) => world.receiver.calls.filter(({ path }) => path === `/${topic}`);
    const deliveries = async (id: string, status: string): Promise<Json[]> =>
      (await world.bridge.api("GET", `/v1/webhooks/${id}/deliveries?status=${status}`)).body.items;
    /** Polls until there are as many: no event announces a delivery that ends without a call. */
    const untilThere = (id: string, status: string, count: number) =>
      eventually(
        () => deliveries(id, status),
        ({ length }) => length >= count,
      );

    it("sends messages that match the filter, with the transform's result as data", async () => {
      const { id, secret } = await register("hot", {
        filter: "data.temperature > 30",
        transform: '{ "device": subject, "celsius": data.temperature }',
      });
      await publish("hot", '{"temperature":20.5}');
      await publish("hot", '{"temperature":31.5}');
      await world.receiver.until(() => calls("hot").length === 1);
      const event = readEvent(calls("hot")[0]!, secret);
      assert.deepEqual([event.subject, event.datacontenttype], ["hot", "application/json"]);
      assert.deepEqual(event.data, { device: "hot", celsius: 31.5 });

      const items = await untilThere(id, "succeeded", 2);
      const filtered = items.find(({ lastAttempt }) => lastAttempt === null)!;
      assert.deepEqual([filtered.status, filtered.attempts, filtered.nextAttemptAt], ["succeeded", 0, null]);
      const { bytes } = await world.bridge.api("GET", "/metrics");
      assert.match(bytes.toString(), new RegExp(`^causeway_deliveries_filtered_total{webhook="${id}"} 1$`, "m"));

      await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { mode: "binary", filter: null });
      await publish("hot", '{"temperature":1}');
      await world.receiver.until(() => calls("hot").length === 2);
      const [, binary] = calls("hot");
      assert.deepEqual(readEvent(binary!, secret).data, { device: "hot", celsius: 1 });
      assert.equal(binary!.body.toString(), '{"device":"hot","celsius":1}');
      assert.equal(binary!.headers["content-type"], "application/json");
    });

    it("makes a dead letter at once when an expression fails, without blocking other webhooks", async () => {
      const bad = await register("bad", { filter: CATASTROPHIC });
      const wrong = await register("wrong", { transform: "data.nothing" });
      await register("good", { filter: "data > 0" });
      for (let i = 0; i < 3; i++) await publish("bad", "x");
      await publish("wrong", "{}");
      for (let i = 1; i <= 50; i++) await publish("good", String(i));
      await world.receiver.until(() => calls("good").length === 50);
      for (const { attempts, lastAttempt } of await untilThere(bad.id, "failed", 3)) {
        const { statusCode, error, detail } = lastAttempt as Json;
        assert.deepEqual([attempts, statusCode, error], [1, null, "filter_error"]);
        assert.equal(detail, "the expression took too long");
      }
      const [failed] = await untilThere(wrong.id, "failed", 1);
      const { error, detail } = failed!.lastAttempt as Json;
      assert.deepEqual([error, detail], ["transform_error", "the result is nothing"]);
      assert.deepEqual([calls("bad").length, calls("wrong").length], [0, 0]);
    });

    it("refuses an invalid expression and names the field and the position", async () => {
      const url = world.receiver.url;
      for (const field of ["filter", "transform"]) {
        const created = await world.bridge.api("POST", "/v1/webhooks", { url, topics: ["a"], [field]: "data.a >" });
        const { id } = await register("syntax", {});
        const patched = await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { [field]: "data.a >" });
        for (const { status, body } of [created, patched]) {
          assert.deepEqual([status, body.code, body.errors[0].path], [400, "invalid_request", field]);
          assert.match(body.errors[0].message, /\(at character 8\)$/);
        }
      }
    });

    it("previews the exact bytes of the call and sends nothing", async () => {
      const secret = `whsec_${Buffer.alloc(32, "s").toString("base64")}`;
      const headers = { authorization: "Bearer hidden", "x-tenant": "7" };
      const webhook = { url: `${world.receiver.url}/preview`, topics: ["p"], secret, headers };
      const preview = (changes: Json, message: string) =>
        world.bridge.api(
          "POST",
          "/v1/webhooks/preview",
          `{"message":${message},"webhook":${JSON.stringify({ ...webhook, ...changes })}}`,
          { "content-type": "application/json" },
        );
      const message = '{"topic":"p","payload":{"n":12345678901234567890, "x" : 1.10},"qos":0}';
      const { status, body } = await preview({}, message);
      assert.deepEqual([status, body.outcome], [200, "sent"]);
      assert.ok(body.request.body.includes('"data":{"n":12345678901234567890, "x" : 1.10}'), body.request.body);
      assert.deepEqual([body.request.headers.authorization, body.request.headers["x-tenant"]], ["********", "7"]);
      const call = {
        method: "POST",
        path: "",
        at: 0,
        headers: body.request.headers,
        body: Buffer.from(body.request.body),
      };
      assert.equal(readEvent(call, secret).subject, "p");

      const outcome = async (changes: Json, text = message) => (await preview(changes, text)).body;
      assert.deepEqual(await outcome({ filter: "data.x > 2" }), { outcome: "filtered" });
      const failed = await outcome({ transform: "data.y" });
      assert.deepEqual(failed, { outcome: "failed", error: "transform_error: the result is nothing" });
      const binary = await outcome({ mode: "binary" }, '{"topic":"p","payloadBase64":"AAEC/w=="}');
      assert.equal(binary.request.bodyBase64, "AAEC/w==");
      const batch = await outcome({ batch: { maxSize: 10 } });
      assert.equal(JSON.parse(batch.request.body).length, 1);
      assert.match(batch.request.headers["webhook-id"], /^batch_/);

      for (const [changes, text, path] of [
        [{ url: "http://10.0.0.1/" }, message, "webhook.url"],
        [{ filter: "data." }, message, "webhook.filter"],
        [{ headers: { host: "x" } }, message, "webhook.headers.host"],
        [{ mode: "binary", batch: { maxSize: 2 } }, message, "webhook.batch"],
        [{}, '{"topic":"a/+"}', "message.topic"],
        [{}, '{"topic":"a","payload":1,"payloadBase64":""}', "message.payloadBase64"],
      ] as const) {
        const refused = await preview(changes, text);
        assert.deepEqual([refused.status, refused.body.errors?.[0].path], [400, path]);
      }
      const preview50 = (messages: string, rest = "") =>
        world.bridge.api(
          "POST",
          "/v1/webhooks/preview",
          `{"webhook":${JSON.stringify({ ...webhook, filter: "data.n > 1" })},"messages":${messages}${rest}}`,
          { "content-type": "application/json" },
        );
      const many = await preview50(
        `[${message},{"topic":"p","payload":{"n":1}},{"topic":"a/+"},{"topic":"p","qos":3},5,{"topic":"p","payload":{"n":2 }}]`,
      );
      assert.equal(many.status, 200);
      assert.deepEqual(
        many.body.results.map((one: Json) => one.outcome ?? [one.code, (one.errors as Json[])[0]!.path]),
        [
          ...["sent", "filtered", ["invalid_topic", "messages[2].topic"], ["invalid_request", "messages[3].qos"]],
          ...[["invalid_request", "messages[4]"], "sent"],
        ],
      );
      assert.ok(many.body.results[0].request.body.includes('"data":{"n":12345678901234567890, "x" : 1.10}'));
      assert.ok(many.body.results[5].request.body.includes('"data":{"n":2 }'));
      for (const [messages, rest, path] of [
        ["[]", "", "messages"],
        [`[${Array(51).fill(message).join()}]`, "", "messages"],
        [`[${message}]`, `,"message":${message}`, "message"],
      ] as const) {
        const refused = await preview50(messages, rest);
        assert.deepEqual([refused.status, refused.body.errors?.[0].path], [400, path]);
      }
      const neither = await world.bridge.api("POST", "/v1/webhooks/preview", { webhook });
      assert.deepEqual([neither.status, neither.body.errors?.[0].path], [400, "message"]);

      const { body: all } = await world.bridge.api("GET", "/v1/webhooks?limit=250");
      assert.ok(all.items.every(({ url }: Json) => !String(url).endsWith("/preview")));
      assert.deepEqual(calls("preview"), []);
    });

    it("sends a test event through the queue, past the expressions, once the webhook is not paused", async () => {
      const { id, secret } = await register("test", { topics: [], events: ["webhook.failing"], filter: "false" });
      const sent = await world.bridge.api("POST", `/v1/webhooks/${id}/test`);
      const { messageId } = sent.body;
      assert.deepEqual(
        [sent.status, sent.headers.get("location")],
        [202, `/v1/webhooks/${id}/deliveries/${messageId}`],
      );
      await world.receiver.until(() => calls("test").length === 1);
      const event = readEvent(calls("test")[0]!, secret);
      assert.deepEqual([event.id, event.type, event.subject], [messageId, "webhook.test", "causeway/test"]);
      assert.deepEqual(event.data, { webhook: id, message: "This is a test." });

      await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { enabled: false });
      const { body } = await world.bridge.api("POST", `/v1/webhooks/${id}/test`);
      const [waiting] = await untilThere(id, "pending", 1);
      assert.equal(waiting!.messageId, body.messageId);
      await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { enabled: true });
      await world.receiver.until(() => calls("test").length === 2);
      assert.equal((await world.bridge.api("POST", "/v1/webhooks/wh_none/test")).status, 404);
    });
  });
}
