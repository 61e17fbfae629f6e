/** Broker, Redis and receiver fail in turn under load: the bridge stays up, reports the failure, and loses nothing. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assertBooksClose } from "../support/books.ts";
import type { TestBridge } from "../support/bridge.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { publishLoad, tally, untilDelivered } from "../support/load.ts";
import type { Mosquitto } from "../support/mosquitto.ts";
import type { Receiver } from "../support/receiver.ts";
import { startRedis } from "../support/redis.ts";
import { mosquittoAndRedis, startScenario } from "../support/scenario.ts";
import { scaled } from "../support/speed.ts";

/** Duration of the outage; `OUTAGE_SECONDS=60` for a long one. */
const OUTAGE_MS = Number(process.env.OUTAGE_SECONDS ?? 8) * 1_000;
const PER_SECOND = 40;
/** Duration of the load before and after the outage. */
const BEFORE_MS = 2_000;
const RECOVERY_MS = 5_000;
const CONCURRENCY = 10;

interface Parts {
  bridge: TestBridge;
  mosquitto: Mosquitto;
  receiver: Receiver;
  webhookId: string;
  redis: { stop(): Promise<void>; kill(): Promise<void>; start(): Promise<void> };
}

interface Outage {
  begin(parts: Parts): Promise<void>;
  /** Asserts the behaviour during the outage. */
  meanwhile(parts: Parts): Promise<void>;
  end(parts: Parts): Promise<void>;
  /** Upper bounds of duplicates: calls made again, and messages received again. */
  again: { sameId: number; otherId: number };
}

const kind = mosquittoAndRedis("5");

describe("outages under load, Mosquitto and Redis", {
  concurrency: true,
  ...kind.options,
}, () => {
  for (const how of ["stop", "kill"] as const) {
    it(`loses nothing when Redis is away (${how === "stop" ? "SIGTERM" : "SIGKILL"})`, (t) =>
      survives(t, {
        begin: ({ redis }) => redis[how](),
        async meanwhile({ bridge, webhookId }) {
          const checks = await failing(bridge);
          assert.deepEqual(failed(checks), ["consumption", "store"]);
          for (const [method, path, body] of [
            ["POST", "/v1/webhooks", { url: "http://127.0.0.1:9/", topics: ["other"] }],
            ["GET", "/v1/webhooks", undefined],
            ["GET", `/v1/webhooks/${webhookId}`, undefined],
            ["PATCH", `/v1/webhooks/${webhookId}`, { name: "load" }],
            ["GET", `/v1/webhooks/${webhookId}/deliveries`, undefined],
            ["DELETE", `/v1/webhooks/${webhookId}`, undefined],
          ] as const) {
            const startedAt = performance.now();
            const answer = await bridge.api(method, path, body);
            assert.equal(answer.status, 503, `${method} ${path}: ${answer.bytes}`);
            assert.equal(answer.body.code, "store_unavailable");
            assert.ok(answer.headers.get("retry-after"));
            assert.ok(performance.now() - startedAt < scaled(1_000), `${method} ${path} was answered at once`);
          }
          // The downlink does not need the store.
          assert.equal((await bridge.api("POST", "/v1/topics/to/device", "hello")).status, 200);
          assert.equal((await bridge.api("GET", "/healthz")).status, 200);
          assert.equal((await bridge.api("GET", "/metrics")).status, 200);
        },
        end: ({ redis }) => redis.start(),
        // Deliveries whose success could not be recorded are repeated.
        again: { sameId: CONCURRENCY, otherId: 0 },
      }));
  }

  it("loses nothing when the broker is away", (t) =>
    survives(t, {
      begin: ({ mosquitto }) => mosquitto.stop(),
      async meanwhile({ bridge }) {
        assert.deepEqual(failed(await failing(bridge)), ["broker", "uplink"]);
        for (let i = 0; i < 5; i++) {
          const startedAt = performance.now();
          const { status, body, headers } = await bridge.api("POST", "/v1/messages", {
            topic: "to/device",
            payload: i,
          });
          const took = performance.now() - startedAt;
          assert.equal(status, 503);
          assert.equal(body.code, "broker_unavailable");
          assert.ok(headers.get("retry-after"));
          assert.ok(took < scaled(500), `refused after ${took} ms`);
        }
        const { status } = await bridge.api("POST", "/v1/webhooks", { url: "http://127.0.0.1:9/", topics: ["other"] });
        assert.equal(status, 201, "webhooks can be registered without the broker");
      },
      end: ({ mosquitto }) => mosquitto.restart(),
      // The broker resends unacknowledged messages: at most its limit of messages in flight.
      again: { sameId: 0, otherId: 1_000 },
    }));

  it("loses nothing when the receiver answers 500", (t) =>
    survives(t, {
      async begin({ receiver }) {
        receiver.answer = () => 500;
      },
      async meanwhile({ bridge, webhookId }) {
        const { status } = await bridge.api("GET", "/readyz");
        assert.equal(status, 200, "a sick receiver is no trouble of the bridge");
        const { body } = await bridge.api("GET", `/v1/webhooks/${webhookId}`);
        assert.equal(body.state, "failing");
        // Failed deliveries are due again meanwhile, and wait with the others for the breaker.
        assert.ok(body.counts.retrying + body.counts.pending > 0);
      },
      async end({ receiver }) {
        receiver.answer = () => 204;
      },
      again: { sameId: 0, otherId: 0 },
    }));
});

async function survives(t: TestContext, outage: Outage): Promise<void> {
  const parts = await startParts(t);
  const { bridge, mosquitto, receiver } = parts;
  const { pid } = bridge;
  const load = publishLoad(mosquitto.url, { count: 1_000_000, perSecond: PER_SECOND });
  t.after(() => load.close());

  await receiver.until((calls) => calls.length >= (BEFORE_MS / 1_000) * PER_SECOND);
  const began = Date.now();
  await outage.begin(parts);
  // In the middle, when all parts have noticed the outage, and at the end, when none may have given up.
  await delay(OUTAGE_MS / 2);
  await outage.meanwhile(parts);
  await delay(OUTAGE_MS / 2 - (Date.now() - began - OUTAGE_MS / 2));
  await outage.meanwhile(parts);
  await outage.end(parts);
  const ended = Date.now();
  await bridge.readiness(200, RECOVERY_MS);
  const ready = Date.now() - ended;

  const count = await load.finish();
  await untilDelivered(receiver, count, 60_000);

  const { missing, sameId, otherId } = tally(receiver.calls, count);
  t.diagnostic(`ready ${ready} ms after, duplicates: ${sameId} same id, ${otherId} received again`);
  assert.deepEqual(missing, []);
  assert.ok(sameId <= outage.again.sameId, `${sameId} calls were made again`);
  assert.ok(otherId <= outage.again.otherId, `${otherId} messages were received again`);
  assert.ok(bridge.running);
  assert.equal(bridge.pid, pid);
  assert.equal((await bridge.api("POST", "/v1/topics/to/device", "hello")).status, 200);
  await assertBooksClose(bridge, { receiver });
}

async function startParts(t: TestContext): Promise<Parts> {
  const dir = temporaryDirectory("redis");
  const { bridge, receiver, mosquitto, ...servers } = await startScenario(t, kind, {
    mosquitto: { persistence: true },
    redis: { dir },
    device: false,
  });
  let redis = servers.redis!;
  const { port } = redis;
  t.after(() => redis.stop());
  const { id } = await bridge.register({
    url: receiver.url,
    topics: ["load/#"],
    concurrency: CONCURRENCY,
    retry: { scheduleSeconds: Array(50).fill(1) },
  });
  return {
    bridge,
    mosquitto: mosquitto!,
    receiver,
    webhookId: id,
    redis: {
      stop: () => redis.stop(),
      kill: () => redis.kill(),
      start: async () => {
        redis = await startRedis({ dir, port });
      },
    },
  };
}

type Checks = Record<string, { ok: boolean; detail?: string }>;

async function failing(bridge: TestBridge): Promise<Checks> {
  const { body } = await bridge.readiness(503, 0);
  for (const { ok, detail } of Object.values(body.checks as Checks)) assert.ok(ok || detail, "a failure says why");
  return body.checks;
}

function failed(checks: Checks): string[] {
  return Object.keys(checks)
    .filter((name) => !checks[name]!.ok)
    .sort();
}
