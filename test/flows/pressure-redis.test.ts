/** Redis out of memory: the intake stops, the bridge stays small, nothing is lost, and deliveries free the memory. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { assertBooksClose } from "../support/books.ts";
import { startTestBridge } from "../support/bridge.ts";
import { eventually } from "../support/eventually.ts";
import { publishLoad, tally, untilDelivered } from "../support/load.ts";
import { startMosquitto } from "../support/mosquitto.ts";
import { watchMemory } from "../support/pressure.ts";
import { startReceiver } from "../support/receiver.ts";
import { startRedis } from "../support/redis.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { scaled } from "../support/speed.ts";

/** Duration of the fault; `PRESSURE_SECONDS=60` for a long run. */
const SECONDS = Number(process.env.PRESSURE_SECONDS ?? 5);
const PER_SECOND = 500;
const BEFORE_SECONDS = 1;
const REFUSED_WITHIN_MS = scaled(1_000);
const MAX_GROWTH_MB = 100;
const MIB = 1024 * 1024;

describe("Redis without memory", { concurrency: 2, ...requireOrSkip("mosquitto", "redis-server") }, () => {
  it(`loses nothing at ${PER_SECOND}/s for ${SECONDS} s`, async (t) => {
    const { bridge, redis, mosquitto, receiver, register } = await startParts(t);
    const { id } = await register({ retry: { scheduleSeconds: Array(20).fill(1) } });
    const load = publishLoad(mosquitto.url, { count: 1_000_000, perSecond: PER_SECOND, window: 2_000 });
    t.after(() => load.close());
    await receiver.until((calls) => calls.length >= PER_SECOND * BEFORE_SECONDS);
    const memory = watchMemory(bridge.pid);
    t.after(() => memory.stop());

    await redis.config("SET", "maxmemory", "1mb");
    const fault = Date.now();
    const { body } = await bridge.readiness(503, 5_000);
    assert.equal(body.checks.store.ok, false);
    const later = new Date(Date.now() + 60_000).toISOString();
    const refused: [string, string, unknown, Record<string, string>][] = [
      ["POST", "/v1/messages", { topic: "to/x", payload: 1 }, { "idempotency-key": "abc" }],
      ["POST", "/v1/messages", { topic: "to/x", payload: 1, sendAt: later }, {}],
      ["POST", "/v1/webhooks", { url: "http://127.0.0.1:9/", topics: ["other"] }, {}],
      ["PATCH", `/v1/webhooks/${id}`, { name: "x" }, {}],
      ["POST", `/v1/webhooks/${id}/test`, undefined, {}],
    ];
    for (const [method, path, sent, headers] of refused) {
      const asked = Date.now();
      const answer = await bridge.api(method, path, sent, headers);
      assert.deepEqual([answer.status, answer.body.code], [503, "store_unavailable"], `${method} ${path}`);
      assert.ok(Date.now() - asked < REFUSED_WITHIN_MS, `${method} ${path} took ${Date.now() - asked} ms`);
    }
    // Calls that need no store succeed.
    const plain = await bridge.api("POST", "/v1/messages", { topic: "to/x", payload: 1 });
    assert.equal(plain.body.outcome, "acknowledged");
    await delay(fault + SECONDS * 1_000 - Date.now());
    await bridge.readiness(503, 0);

    await redis.config("SET", "maxmemory", "0");
    const ended = Date.now();
    const [count, readyMs] = await Promise.all([load.finish(), bridge.readiness(200).then(() => Date.now() - ended)]);
    assert.ok(count >= PER_SECOND * (BEFORE_SECONDS + SECONDS) * 0.9, `only ${count} messages were published`);
    await untilDelivered(receiver, count, 60_000 + SECONDS * 3_000);
    const allMs = Date.now() - ended;
    const { missing, sameId, otherId } = tally(receiver.calls, count);
    const { before, grown } = memory;
    t.diagnostic(
      `${count} messages; lost ${missing.length}, twice ${sameId} with the same id and ${otherId} with another; ready ` +
        `after ${readyMs} ms, everything delivered after ${allMs} ms; from ${before | 0} MB grown by ${grown | 0} MB`,
    );
    assert.deepEqual(missing, []);
    assert.equal(otherId, 0);
    assert.ok(grown <= MAX_GROWTH_MB, `the process grew by ${grown} MB`);
    await assertBooksClose(bridge, { receiver });
    assert.equal(bridge.running, true);
  });

  it("is drained by the deliveries that fill it", async (t) => {
    const { bridge, redis, mosquitto, receiver, register } = await startParts(t);
    const { id } = await register();
    receiver.answer = () => ({ status: 429, headers: { "retry-after": "2" } });
    const count = 2_000;
    const load = publishLoad(mosquitto.url, { count, perSecond: 4_000, window: 1_000, bytes: 1_000 });
    t.after(() => load.close());
    await eventually(
      async () => (await bridge.api("GET", `/v1/webhooks/${id}`)).body.counts,
      ({ pending, active, retrying }) => pending + active + retrying >= count,
      60_000,
    );

    const used = await usedMemory(redis);
    await redis.config("SET", "maxmemory", String(used - MIB / 2));
    await assert.rejects(redis.set("more", "x"), /^ReplyError: OOM/);
    await bridge.readiness(503);
    const called = receiver.attempts.length;
    await receiver.untilCalled(called + 1); // calls continue at the permitted rate
    // Restarts the bridge, as an orchestrator does on 503.
    await bridge.stop();
    await bridge.start();
    receiver.answer = () => 204;
    await untilDelivered(receiver, count, 60_000);
    await bridge.readiness(200);
    const { body } = await bridge.api("POST", `/v1/webhooks/${id}/test`);
    await receiver.until((calls) => calls.some(({ headers }) => headers["webhook-id"] === body.messageId));
    await assertBooksClose(bridge);
  });
});

async function usedMemory(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info("memory"))![1]);
}

async function startParts(t: TestContext) {
  const mosquitto = await startMosquitto();
  const server = await startRedis();
  const redis = new Redis(server.url);
  const bridge = await startTestBridge({ MQTT_URL: mosquitto.url, STORE_URL: server.url });
  const receiver = await startReceiver();
  t.after(async () => {
    if (bridge.running) await bridge.stop();
    await receiver.close();
    await mosquitto.stop();
    redis.disconnect();
    await server.stop();
  });
  const register = (more = {}) => bridge.register({ url: receiver.url, topics: ["load/#"], ...more });
  return { bridge, redis, mosquitto, receiver, register };
}
