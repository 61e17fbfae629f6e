/** Webhooks with the real process: their API, and the messages when a webhook or its receiver changes. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { verifySignature } from "../support/events.ts";
import { eventually } from "../support/eventually.ts";
import { publishLoad, tally } from "../support/load.ts";
import type { ReceivedCall, Receiver } from "../support/receiver.ts";
import { embedded, mosquittoAndRedis, scenario, startScenario } from "../support/scenario.ts";
import { scaled } from "../support/speed.ts";

type Status = "pending" | "active" | "retrying" | "succeeded" | "failed";
type Json = Record<string, unknown>;

const NEVER_SOON = { scheduleSeconds: [3_600] };
const withServers = mosquittoAndRedis("5");

for (const { kind, perSecond, pauseMs } of [
  // Each change must finish before the next: on MQTT 3.1.1 overlapping filters move from session to session, and on
  // MQTT 5 a broker whose send window towards the bridge is full lets SUBACK overtake messages.
  { kind: embedded, perSecond: 100, pauseMs: 300 },
  { kind: withServers, perSecond: 200, pauseMs: 50 },
]) {
  describe(`webhooks: ${kind.name}`, kind.options, () => {
    const world = scenario(kind, { env: { LOG_LEVEL: "debug" } });
    /** Response per path; the default is 204. */
    const answers = new Map<string, Receiver["answer"]>();
    const secrets: string[] = [];
    before(() => {
      world.receiver.answer = (call) => answers.get(call.path)?.(call) ?? 204;
    });

    const register = async (path: string, webhook: Json = {}) => {
      const registered = await world.bridge.register({
        url: world.receiver.url + path,
        topics: [path.slice(1)],
        ...webhook,
      });
      secrets.push(registered.secret);
      return registered;
    };
    const publish = (topic: string, payload: string) => world.device.publishAsync(topic, payload, { qos: 1 });
    const to = (path: string) => (call: ReceivedCall) => call.path === path;
    const delivered = (path: string) => world.receiver.calls.filter(to(path));
    const attempted = (path: string) => world.receiver.attempts.filter(to(path));
    const payloads = (path: string) => delivered(path).map(({ body }) => String(JSON.parse(body.toString()).data));
    const get = async (id: string) => (await world.bridge.api("GET", `/v1/webhooks/${id}`)).body;
    const deliveries = async (id: string, query = "") =>
      (await world.bridge.api("GET", `/v1/webhooks/${id}/deliveries${query}`)).body.items;
    /** Polls until the delivery of the only message has the status: no event announces the change. */
    const untilStatus = (id: string, wanted: Status) =>
      eventually(
        async () => (await deliveries(id))[0],
        (delivery) => delivery?.status === wanted,
      );

    it("creates, lists by pages, reads, changes and deletes", async () => {
      const ids: string[] = [];
      for (const n of [1, 2, 3, 4, 5]) ids.push((await register(`/crud${n}`, { name: `n${n}` })).id);
      const listed: string[] = [];
      for (let after = ""; ; ) {
        const { status, body } = await world.bridge.api("GET", `/v1/webhooks?limit=2${after}`);
        assert.equal(status, 200);
        assert.ok(body.items.length <= 2);
        listed.push(...body.items.map(({ id }: Json) => id));
        if (body.nextCursor === null) break;
        after = `&after=${body.nextCursor}`;
      }
      assert.deepEqual(listed, ids);
      const bad = await world.bridge.api("GET", "/v1/webhooks?after=nonsense");
      assert.deepEqual([bad.status, bad.body.errors[0].path], [400, "query.after"]);

      const [id] = ids;
      const { name, topics, state, enabled } = await get(id!);
      assert.deepEqual(
        { name, topics, state, enabled },
        { name: "n1", topics: ["crud1"], state: "active", enabled: true },
      );
      const changed = await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { name: "other", concurrency: 3 });
      assert.deepEqual([changed.status, changed.body.name, changed.body.concurrency], [200, "other", 3]);
      assert.equal((await get(id!)).name, "other");
      const unknown = await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { colour: "red" });
      assert.deepEqual([unknown.status, unknown.body.code], [400, "invalid_request"]);
      assert.match(unknown.body.detail, /colour/);

      for (const each of ids) {
        assert.equal((await world.bridge.api("DELETE", `/v1/webhooks/${each}`)).status, 204);
        for (const method of ["GET", "DELETE"]) {
          const { status, body } = await world.bridge.api(method, `/v1/webhooks/${each}`);
          assert.deepEqual([status, body.code], [404, "not_found"]);
        }
      }
    });

    it("shows each delivery with its status and its last attempt", async () => {
      const path = "/statuses";
      answers.set(path, () => 500);
      const { id } = await register(path, { enabled: false, retry: NEVER_SOON });
      await publish("statuses", "one");
      const pending = await untilStatus(id, "pending");
      assert.deepEqual(
        [pending.webhookId, pending.topic, pending.attempts, pending.lastAttempt],
        [id, "statuses", 0, null],
      );

      await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { enabled: true });
      const retrying = await untilStatus(id, "retrying");
      const { statusCode, error, durationMs } = retrying.lastAttempt;
      assert.deepEqual([retrying.attempts, statusCode, error, retrying.finishedAt], [1, 500, "http_error", null]);
      assert.ok(durationMs >= 0);
      const wait = Date.parse(retrying.nextAttemptAt) - Date.parse(retrying.lastAttempt.at);
      assert.ok(wait > 0.79 * 3_600_000 && wait < 1.21 * 3_600_000, `${wait} ms to the next attempt`);
      assert.equal(attempted(path)[0]!.headers["webhook-id"], retrying.messageId);
      await world.bridge.api("DELETE", `/v1/webhooks/${id}`);

      answers.set("/statuses2", () => 204);
      const other = await register("/statuses2");
      await publish("statuses2", "two");
      const succeeded = await untilStatus(other.id, "succeeded");
      assert.deepEqual([succeeded.lastAttempt.statusCode, succeeded.lastAttempt.error], [204, null]);
      assert.ok(succeeded.finishedAt >= succeeded.receivedAt);
      assert.equal(succeeded.nextAttemptAt, null);
      assert.deepEqual(await deliveries(other.id, "?status=failed"), []);
      assert.equal((await deliveries(other.id, "?status=succeeded")).length, 1);
      assert.equal((await get(other.id)).counts.succeeded, 1);
    });

    it("gives up when the retry schedule is used up", async () => {
      const path = "/fails";
      answers.set(path, () => 404);
      const { id } = await register(path, { retry: { scheduleSeconds: [0.2, 0.2] } });
      await publish("fails", "x");
      const failed = await untilStatus(id, "failed");
      assert.equal(failed.attempts, 3);
      assert.deepEqual([failed.lastAttempt.statusCode, failed.nextAttemptAt], [404, null]);
      assert.ok(failed.finishedAt);
      assert.deepEqual(
        attempted(path).map(({ headers }) => headers["causeway-attempt"]),
        ["1", "2", "3"],
      );
      assert.equal(new Set(attempted(path).map(({ headers }) => headers["webhook-id"])).size, 1);
    });

    it("retries a redirect and does not follow it", async () => {
      const path = "/redirect";
      const location = `${world.receiver.url}/elsewhere`;
      answers.set(path, () => (attempted(path).length < 3 ? { status: 302, headers: { location } } : 204));
      await register(path, { retry: { scheduleSeconds: [0.2, 0.2] } });
      await publish("redirect", "x");
      await world.receiver.until(() => delivered(path).length === 1);
      assert.equal(attempted(path).length, 3);
      assert.deepEqual(attempted("/elsewhere"), []);
    });

    it("waits as long as Retry-After says, without using up an attempt", async () => {
      const path = "/busy";
      answers.set(path, () => (attempted(path).length === 1 ? { status: 429, headers: { "retry-after": "2" } } : 204));
      const { id } = await register(path, { retry: { scheduleSeconds: [] } });
      await publish("busy", "x");
      await world.receiver.until(() => delivered(path).length === 1);
      const [refused, accepted] = attempted(path);
      const waited = accepted!.at - refused!.at;
      assert.ok(waited >= 1_950 && waited < scaled(6_000), `it waited ${waited} ms`);
      assert.equal(accepted!.headers["causeway-attempt"], "1");
      const succeeded = await untilStatus(id, "succeeded");
      assert.ok(succeeded.attempts <= 1);
    });

    it("disables a webhook that answers 410, and keeps its deliveries until it is enabled", async () => {
      const path = "/gone";
      answers.set(path, () => 410);
      const { id } = await register(path, { retry: { scheduleSeconds: [] } });
      await publish("gone", "0");
      await world.receiver.until(() => attempted(path).length === 1);
      await eventually(
        () => get(id),
        ({ state }) => state === "disabled",
      );
      for (const payload of ["1", "2", "3"]) await publish("gone", payload);
      // Messages sent before one that has arrived are durable.
      await register("/marker");
      await publish("marker", "x");
      await world.receiver.until(() => delivered("/marker").length === 1);
      const { state, enabled, counts } = await get(id);
      assert.deepEqual([state, enabled, counts.pending + counts.retrying, counts.failed], ["disabled", true, 4, 0]);
      assert.equal(attempted(path).length, 1, "it is called no more");

      answers.delete(path);
      const { body } = await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { enabled: true });
      assert.equal(body.state, "active");
      await world.receiver.until(() => delivered(path).length === 4);
      assert.deepEqual(payloads(path).sort(), ["0", "1", "2", "3"]);
      for (const call of delivered(path)) assert.equal(call.headers["causeway-attempt"], "1");
    });

    it("drops the waiting deliveries of a deleted webhook", async () => {
      const path = "/removed";
      answers.set(path, () => 500);
      const { id } = await register(path, { retry: { scheduleSeconds: [0.5, 0.5, 0.5, 0.5] }, concurrency: 1 });
      await register("/stays", { topics: ["removed"] });
      for (let i = 0; i < 20; i++) await publish("removed", String(i));
      await world.receiver.until(() => attempted(path).length >= 1 && delivered("/stays").length === 20);
      assert.equal((await world.bridge.api("DELETE", `/v1/webhooks/${id}`)).status, 204);
      const before = attempted(path).length;

      await publish("removed", "20");
      await world.receiver.until(() => delivered("/stays").length === 21);
      assert.ok(attempted(path).length <= before + 1, "only the call under way may still end");
      assert.equal((await world.bridge.api("GET", `/v1/webhooks/${id}/deliveries`)).status, 404);
      if (world.redis) assert.deepEqual(await keysOf(world.redis.url, id), []);
    });

    it("shows secrets once only", async () => {
      const { secret } = await register("/secret", { secret: `whsec_${Buffer.alloc(32, "s").toString("base64")}` });
      const { body } = await world.bridge.api("GET", "/v1/webhooks?limit=250");
      const patched = await world.bridge.api("PATCH", `/v1/webhooks/${body.items[0].id}`, { name: "secretive" });
      await publish("secret", "x");
      await world.receiver.until(() => delivered("/secret").length === 1);
      verifySignature(delivered("/secret")[0]!, secret);
      const shown = [
        world.bridge.output,
        patched.bytes.toString(),
        (await world.bridge.api("GET", "/metrics")).bytes.toString(),
      ];
      for (const { id } of body.items) {
        for (const path of ["", "/deliveries"]) {
          shown.push((await world.bridge.api("GET", `/v1/webhooks/${id}${path}`)).bytes.toString());
        }
      }
      shown.push(JSON.stringify(body), world.bridge.output);
      await world.bridge.waitForOutput(/delivery_attempted/);
      for (const text of shown) {
        for (const each of secrets) assert.ok(!text.includes(each.slice("whsec_".length)), "a secret is shown");
        assert.doesNotMatch(text, /whsec_/);
      }
    });

    it("loses nothing while the topics change", async (t) => {
      const { id } = await register("/t", { topics: ["t/+"] });
      const count = perSecond * 5;
      const load = publishLoad(world.brokerUrl, { count, perSecond, topic: "t" });
      t.after(() => load.close());
      let changes = 0;
      while (load.acknowledged < count) {
        if (pauseMs > 0) await delay(pauseMs);
        const topics = [["t/#"], ["t/+"], ["t/+", "t/#"], ["t/1", "+/+"], ["t/+"]][changes++ % 5];
        const { status, body } = await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { topics });
        assert.deepEqual([status, body.topics], [200, topics]);
      }
      await load.done;
      // Messages sent before one that has arrived are durable; then none of them may wait for delivery.
      await publish("t/end", "-1");
      const isLast = ({ path, body }: ReceivedCall) => path === "/t" && body.includes('"data":-1}');
      await world.receiver.until((calls) => calls.some(isLast), 10_000);
      for (let left = 1; left > 0; ) {
        const { counts } = await get(id);
        left = counts.pending + counts.active + counts.retrying;
      }
      await world.bridge.api("DELETE", `/v1/webhooks/${id}`);
      const { missing, sameId, otherId } = tally(delivered("/t"), count);
      const lost = `${missing.length} lost of ${count} in ${changes} changes`;
      t.diagnostic(`${lost}, duplicates: ${sameId} same id, ${otherId} other id`);
      assert.deepEqual(missing, [], lost);
    });
  });
}

describe("forbidden webhook addresses", withServers.options, () => {
  it("are refused at registration and at a change, with the field's name", async (t) => {
    const env = { WEBHOOK_ALLOW_NETWORKS: "192.0.2.0/24" };
    const { bridge } = await startScenario(t, withServers, { env });
    const allowed = await bridge.api("POST", "/v1/webhooks", { url: "http://192.0.2.1/", topics: ["a"] });
    assert.equal(allowed.status, 201);
    for (const host of [
      ...["169.254.169.254", "[::ffff:10.0.0.1]", "2130706433", "0x7f.1", "0177.0.0.1", "127.0.0.1:8080", "localhost"],
      ...["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "[::1]"],
      ...["[::]", "[fe80::1]", "[fd00::1]", "[::ffff:7f00:1]", "[64:ff9b::a00:1]", "１２７.0.0.1", "a.localhost."],
    ]) {
      for (const [method, path] of [
        ["POST", "/v1/webhooks"],
        ["PATCH", `/v1/webhooks/${allowed.body.id}`],
      ] as const) {
        const topics = ["a"];
        const { status, body } = await bridge.api(method, path, { url: `http://${host}/`, topics });
        assert.deepEqual(
          [status, body.code, body.errors?.[0].path],
          [400, "blocked_address", "url"],
          `${method} ${host}`,
        );
      }
    }
    const { body } = await bridge.api("GET", "/v1/webhooks");
    assert.deepEqual(
      body.items.map(({ url }: Json) => url),
      ["http://192.0.2.1/"],
    );
  });
});

async function keysOf(redisUrl: string, webhookId: string): Promise<string[]> {
  const redis = new Redis(redisUrl);
  try {
    // BullMQ's limiter key expires after a second.
    return (await redis.keys(`*${webhookId}*`)).filter((key) => !key.endsWith(":limiter"));
  } finally {
    redis.disconnect();
  }
}
