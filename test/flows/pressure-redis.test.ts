/** Redis without memory, under load: the intake stops, the bridge stays small, and nothing is lost. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { startTestBridge, type TestBridge } from "../support/bridge.ts";
import { publishLoad, tally } from "../support/load.ts";
import { startMosquitto } from "../support/mosquitto.ts";
import { startReceiver } from "../support/receiver.ts";
import { startRedis } from "../support/redis.ts";
import { requireOrSkip } from "../support/requirements.ts";

/** Of the fault; `PRESSURE_SECONDS=60` for the long run. */
const SECONDS = Number(process.env.PRESSURE_SECONDS ?? 8);
const PER_SECOND = 1_000;
const BEFORE_MS = 3_000;
const AFTER_MS = 1_000;
const MB = 1024 * 1024;

describe("Redis without memory", requireOrSkip("mosquitto", "redis-server"), () => {
  it("out of memory", { timeout: 300_000 }, async (t) => {
    const { bridge, redis, mosquitto, receiver, id } = await startParts(t);
    const count = PER_SECOND * (SECONDS + (BEFORE_MS + AFTER_MS) / 1_000);
    const load = publishLoad(mosquitto.url, { count, perSecond: PER_SECOND, window: 2_000 });
    t.after(() => load.close());
    await receiver.until((calls) => calls.length >= PER_SECOND * (BEFORE_MS / 1_000));
    const before = residentBytes(bridge);
    await redis.config("SET", "maxmemory", "1mb");
    let max = before;
    for (let i = 0; i < 8; i++) {
      t.diagnostic(
        `${i} acked ${load.acknowledged} calls ${receiver.calls.length} ` +
          JSON.stringify((await bridge.api("GET", `/v1/webhooks/${id}`)).body.counts),
      );
      await delay(500);
    }
    const watch = setInterval(() => {
      max = Math.max(max, residentBytes(bridge));
    }, 200);
    await delay(SECONDS * 500);
    t.diagnostic(JSON.stringify((await bridge.readiness(503, 5000)).body));
    for (const [m, p, b, h] of [
      ["POST", "/v1/messages", { topic: "to/x", payload: 1 }, {}],
      ["POST", "/v1/messages", { topic: "to/x", payload: 1 }, { "idempotency-key": "abc" }],
      ["POST", "/v1/messages", { topic: "to/x", payload: 1, sendAt: new Date(Date.now() + 60000).toISOString() }, {}],
      ["POST", "/v1/webhooks", { url: "http://127.0.0.1:9/", topics: ["other"] }, {}],
      ["PATCH", `/v1/webhooks/${id}`, { name: "x" }, {}],
      ["GET", `/v1/webhooks/${id}`, undefined, {}],
      ["POST", `/v1/webhooks/${id}/test`, undefined, {}],
    ] as const) {
      const s = Date.now();
      const a = await bridge.api(m, p, b, h);
      t.diagnostic(`${m} ${p} ${a.status} ${a.bytes.toString().slice(0, 160)} ${Date.now() - s} ms`);
    }
    await delay(SECONDS * 500);
    const calls = receiver.calls.length;
    t.diagnostic(`acked by mosquitto ${load.acknowledged} calls ${calls}`);
    await redis.config("SET", "maxmemory", "0");
    const ended = Date.now();
    await bridge.readiness(200);
    t.diagnostic(`ready after ${Date.now() - ended} ms`);
    await load.done;
    const seen = new Set<number>();
    let looked = 0;
    await receiver.until((calls) => {
      for (; looked < calls.length; looked++) seen.add(Number(JSON.parse(calls[looked]!.body.toString()).data));
      return seen.size === count;
    }, 100_000);
    clearInterval(watch);
    const { missing, sameId, otherId } = tally(receiver.calls, count);
    t.diagnostic(
      `RSS ${before / MB} max ${max / MB} grew ${(max - before) / MB}; missing ${missing.length} sameId ${sameId} otherId ${otherId}; all after ${Date.now() - ended} ms`,
    );
    t.diagnostic(bridge.output);
    assert.equal(bridge.running, true);
  });
});

function residentBytes({ pid }: TestBridge): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024;
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
  const { id } = await bridge.register({
    url: receiver.url,
    topics: ["load/#"],
    retry: { scheduleSeconds: Array(20).fill(1) },
  });
  return { bridge, redis, mosquitto, receiver, id };
}
