/** Every API field for a topic, filter or other MQTT string refuses invalid values alike; broker connections remain. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MAX_TOPIC_LEVELS } from "../../src/topic.ts";
import type { Answer } from "../support/bridge.ts";
import { eventually } from "../support/eventually.ts";
import { embedded, mosquittoAndRedis, scenario } from "../support/scenario.ts";

const levels = (count: number) => Array(count).fill("a").join("/");
const DEEPEST = levels(MAX_TOPIC_LEVELS);
const ASYNC = { prefer: "respond-async" };
const NDJSON = { "content-type": "application/x-ndjson" };
const SEND_AT = new Date(Date.now() + 3_600_000).toISOString();

type Call = [method: string, path: string, body?: unknown, headers?: Record<string, string>];
/** Name of the case, refused field, and call that contains the field. */
type Entry = [name: string, field: string, call: (text: string) => Call];

const hook = { url: "https://example.com/hook", topics: ["t"] };

const NAMES: Entry[] = [
  ["publish", "topic", (topic) => ["POST", "/v1/messages", { topic }]],
  ["QoS 0", "topic", (topic) => ["POST", "/v1/messages", { topic, qos: 0 }]],
  ["stored publish", "topic", (topic) => ["POST", "/v1/messages", { topic }, ASYNC]],
  ["scheduled publish", "topic", (topic) => ["POST", "/v1/messages", { topic, sendAt: SEND_AT }]],
  ["response topic", "responseTopic", (responseTopic) => ["POST", "/v1/messages", { topic: "t", responseTopic }]],
  ["batch", "messages[0].topic", (topic) => ["POST", "/v1/messages/batch", { messages: [{ topic }] }]],
  ["lines", "messages[0].topic", (topic) => ["POST", "/v1/messages/batch", JSON.stringify({ topic }), NDJSON]],
  ["topic: POST", "topic", (topic) => ["POST", `/v1/topics/${encodeURIComponent(topic)}`, "x"]],
  ["topic: PUT", "topic", (topic) => ["PUT", `/v1/topics/${encodeURIComponent(topic)}`, "x"]],
  ["topic: GET", "topic", (topic) => ["GET", `/v1/topics/${encodeURIComponent(topic)}`]],
  ["topic: DELETE", "topic", (topic) => ["DELETE", `/v1/topics/${encodeURIComponent(topic)}`]],
  ["request", "topic", (topic) => ["POST", "/v1/requests", { topic, timeoutSeconds: 0.1 }]],
  ["request, stored", "topic", (topic) => ["POST", "/v1/requests", { topic }, ASYNC]],
  [
    "request, its response topic",
    "responseTopic",
    (responseTopic) => ["POST", "/v1/requests", { topic: "t", responseTopic, timeoutSeconds: 0.1 }],
  ],
  [
    "stored request, its response topic",
    "responseTopic",
    (responseTopic) => ["POST", "/v1/requests", { topic: "t", responseTopic, expirySeconds: 5 }, ASYNC],
  ],
  ["webhook, reply topic", "replyTopic", (replyTopic) => ["POST", "/v1/webhooks", { ...hook, replyTopic }]],
];

const FILTERS: Entry[] = [
  ["retained topics", "query.filter", (filter) => ["GET", `/v1/topics?filter=${encodeURIComponent(filter)}`]],
  ["stream", "query.topic[0]", (filter) => ["GET", `/v1/stream?topic=${encodeURIComponent(filter)}`]],
  ["webhook", "topics[1]", (filter) => ["POST", "/v1/webhooks", { ...hook, topics: ["t", filter] }]],
  ["key, publish", "publish[0]", (f) => ["POST", "/v1/keys", { name: "k", scopes: ["publish"], publish: [f] }]],
  ["key, read", "read[0]", (filter) => ["POST", "/v1/keys", { name: "k", scopes: ["read"], read: [filter] }]],
];

const STRINGS: Entry[] = [
  ["content type", "contentType", (contentType) => ["POST", "/v1/messages", { topic: "t", contentType }]],
  ["property", "userProperties.a", (a) => ["POST", "/v1/messages", { topic: "t", userProperties: { a: ["b", a] } }]],
  ["property of a request", "userProperties.a", (a) => ["POST", "/v1/requests", { topic: "t", userProperties: { a } }]],
  [
    "content type of a stored one",
    "contentType",
    (contentType) => ["POST", "/v1/messages", { topic: "t", contentType }, ASYNC],
  ],
];

for (const kind of [embedded, mosquittoAndRedis("5")]) {
  describe(`topics and filters in every API field: ${kind.name}`, kind.options, () => {
    const world = scenario(kind);

    async function call(...[method, path, body, headers]: Call): Promise<Answer> {
      const answer = await world.bridge.api(method, path, body, headers);
      if (headers !== NDJSON) return answer;
      const line = JSON.parse(answer.bytes.toString());
      return { ...answer, status: line.status, body: line };
    }

    const untilOutcome = (path: string, outcome: string) =>
      eventually(
        () => call("GET", path),
        ({ body }) => body.outcome === outcome,
      );

    async function assertRefused(entry: Entry, text: string, code: string): Promise<void> {
      const [name, field, callOf] = entry;
      const answer = await call(...callOf(text));
      const found = answer.body.results?.[0] ?? answer.body;
      assert.deepEqual([name, found.status, found.code], [name, 400, code]);
      assert.equal(found.errors[0].path, field, name);
    }

    it("are refused alike, with the field's name, without side effects", async () => {
      await world.bridge.register({ url: world.receiver.url, topics: ["alive"] });
      for (const bad of [levels(MAX_TOPIC_LEVELS + 1), levels(200), levels(300), "a\tb", "a\u009fb", "a\uffffb"]) {
        for (const entry of NAMES) await assertRefused(entry, bad, "invalid_topic");
        for (const entry of FILTERS) await assertRefused(entry, bad, "invalid_topic_filter");
      }
      for (const entry of FILTERS) await assertRefused(entry, `${DEEPEST}/#`, "invalid_topic_filter");
      for (const bad of ["a\tb", "a\u0080b", "\ufdd0"])
        for (const entry of STRINGS) await assertRefused(entry, bad, "invalid_request");
      // Too deep only once the placeholder is replaced with the topic of a message.
      const grown = `${levels(99)}/{topic}`;
      for (const [path, topics] of [
        [`${grown}/b`, ["t"]],
        [grown, ["t/u"]],
      ] as const) {
        const { status, body } = await call("POST", "/v1/webhooks", { ...hook, topics, replyTopic: path });
        assert.deepEqual([status, body.code, body.errors[0].path], [400, "invalid_topic", "replyTopic"]);
      }
      for (const topic of ["$SYS/x", "$SYSTEM", "$share/g/a"]) {
        const { status, body } = await call("POST", "/v1/messages", { topic });
        assert.deepEqual([status, body.code], [400, "invalid_topic"], topic);
      }
      const { status } = await call("POST", "/v1/messages", { topic: "alive", payload: "yes" });
      assert.equal(status, 200);
      await world.receiver.until((calls) => calls.length === 1);
      const { lanes } = (await call("GET", "/v1/status")).body;
      assert.deepEqual([lanes[0].sessions[0].state, lanes[0].sessions[0].refused], ["connected", []]);
    });

    it(`with ${MAX_TOPIC_LEVELS} levels work everywhere`, async () => {
      const before = world.receiver.calls.length;
      await world.bridge.register({ url: world.receiver.url, topics: [`${levels(MAX_TOPIC_LEVELS - 1)}/+`] });
      for (const [name, , callOf] of NAMES) {
        if (name.startsWith("request") || name.startsWith("webhook")) continue;
        const { status } = await call(...callOf(DEEPEST));
        assert.ok(status < 300, `${name}: ${status}`);
      }
      await world.receiver.until((calls) => calls.length > before);
      const { status, body } = await call("GET", `/v1/topics?filter=${encodeURIComponent(`${levels(99)}/#`)}`);
      assert.equal(status, 200, JSON.stringify(body));
      const responseTopic = DEEPEST.replaceAll("a", "b");
      const asked = { topic: "t", responseTopic, match: "first", expirySeconds: 60 };
      const { body: request } = await call("POST", "/v1/requests", asked, ASYNC);
      // Published means that its response topic is subscribed.
      await untilOutcome(`/v1/messages/${request.id}`, "acknowledged");
      assert.equal((await call("POST", "/v1/messages", { topic: responseTopic, payload: "answer" })).status, 200);
      await untilOutcome(`/v1/requests/${request.id}`, "responded");
    });
  });
}
