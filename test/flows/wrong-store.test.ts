/** Another store in place of the right one: the bridge waits for the right one and loses nothing. */

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { startTestBridge, type TestBridge } from "../support/bridge.ts";
import { connectTo } from "../support/device.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { eventually } from "../support/eventually.ts";
import { publishLoad, tally, untilDelivered } from "../support/load.ts";
import type { Mosquitto } from "../support/mosquitto.ts";
import { startProcess } from "../support/processes.ts";
import { MAIN } from "../support/program.ts";
import type { Receiver } from "../support/receiver.ts";
import { startRedis } from "../support/redis.ts";
import { asProcess, mosquittoAndRedis, startScenario } from "../support/scenario.ts";

const PER_SECOND = 50;
/** Duration of the wrong store's presence; longer than every retry interval in the bridge. */
const WRONG_MS = 8_000;

interface Parts {
  bridge: TestBridge;
  mosquitto: Mosquitto;
  receiver: Receiver;
  webhookId: string;
  env: { MQTT_URL: string; STORE_URL: string };
  redis: { kill(): Promise<void>; start(dir: string): Promise<void>; url: string; dir: string };
}

async function startParts(t: TestContext): Promise<Parts> {
  const dir = temporaryDirectory("redis");
  const { bridge, receiver, mosquitto, ...servers } = await startScenario(t, kind, {
    run: asProcess("kill"),
    env: { LOG_LEVEL: "info" },
    mosquitto: { persistence: true },
    redis: { dir },
    device: false,
  });
  let redis = servers.redis!;
  const { port, url } = redis;
  const env = { MQTT_URL: mosquitto!.url, STORE_URL: url };
  t.after(() => redis.stop());
  const { id: webhookId } = await bridge.register({ url: receiver.url, topics: ["load/#"] });
  const start = async (startDir: string) => {
    redis = await startRedis({ dir: startDir, port });
  };
  return {
    bridge,
    mosquitto: mosquitto!,
    receiver,
    webhookId,
    env,
    redis: { kill: () => redis.kill(), start, url, dir },
  };
}

/** Counts packets of the bridge's receiving session in a part of the broker's log. */
const sent = (log: string, packet: "PUBACK" | "UNSUBSCRIBE") =>
  log.split("\n").filter((line) => line.includes(`Received ${packet} from causeway-uplink-`));

const count = (output: string, pattern: RegExp) => [...output.matchAll(pattern)].length;

async function saysWhy(bridge: TestBridge): Promise<void> {
  const pattern = /^WRONGSTORE Redis holds another store: it has no identity, as after a loss of its data instead of /;
  const isWhy = ({ body }: { body: { checks: { store: { detail?: string } } } }) =>
    pattern.test(body.checks.store.detail ?? "");
  await eventually(
    () => bridge.api("GET", "/readyz"),
    (answer) => answer.status === 503 && isWhy(answer),
  );
}

async function refusesWrites({ bridge, webhookId }: Parts): Promise<void> {
  for (const [method, path, body] of [
    ["POST", "/v1/webhooks", { url: "http://127.0.0.1:9/", topics: ["other"] }],
    ["PATCH", `/v1/webhooks/${webhookId}`, { name: "load" }],
    ["DELETE", `/v1/webhooks/${webhookId}`, undefined],
    ["POST", "/v1/keys", { name: "k", scopes: ["publish"] }],
  ] as const) {
    const answer = await bridge.api(method, path, body);
    assert.equal(answer.status, 503, `${method} ${path}: ${answer.bytes}`);
    assert.equal(answer.body.code, "store_unavailable");
  }
}

const kind = mosquittoAndRedis("5");

describe("another Redis in place of the right one", {
  concurrency: 2,
  ...kind.options,
}, () => {
  it("is waited out if it is empty after a failover, and nothing is lost", async (t) => {
    const parts = await startParts(t);
    const { bridge, mosquitto, receiver, redis } = parts;
    const load = publishLoad(mosquitto.url, { count: 100_000, perSecond: PER_SECOND });
    t.after(() => load.close());
    await receiver.until((calls) => calls.length >= PER_SECOND);

    await redis.kill();
    await redis.start(temporaryDirectory("empty"));
    await saysWhy(bridge);
    await delay(500); // the log then has the acknowledgements of messages that the right store holds
    const began = mosquitto.log.length;
    await delay(WRONG_MS);
    await saysWhy(bridge);
    await refusesWrites(parts);
    const raw = new Redis(redis.url);
    assert.deepEqual(await raw.keys("*"), [], "nothing was written there");
    raw.disconnect();
    assert.deepEqual(sent(mosquitto.log.slice(began), "PUBACK"), [], "nothing was acknowledged");

    await redis.kill();
    await redis.start(redis.dir);
    await bridge.readiness(200);
    await delay(1_000); // the load continues for a while
    const published = await load.finish();
    await untilDelivered(receiver, published, 60_000);
    const { missing, sameId, otherId } = tally(receiver.calls, published);
    t.diagnostic(`of ${published} lost ${missing.length}, twice ${sameId} with the same id, ${otherId} with another`);
    assert.deepEqual(missing, []);
    assert.deepEqual(sent(mosquitto.log, "UNSUBSCRIBE"), []);
    assert.equal(count(bridge.output, /"store_replaced"/g), 1);
    assert.equal(count(bridge.output, /"store_back"/g), 1);
  });

  it("stops the intake after FLUSHALL, and a new start needs STORE_RESET=accept", async (t) => {
    const parts = await startParts(t);
    const { bridge, mosquitto, redis, env } = parts;
    const raw = new Redis(redis.url);
    const device = await connectTo(mosquitto.url);
    t.after(async () => {
      raw.disconnect();
      await device.endAsync(true);
    });
    const began = mosquitto.log.length;
    await raw.flushall();
    await device.publishAsync("load/1", "kept", { qos: 1 });
    await saysWhy(bridge);
    await refusesWrites(parts);
    await delay(WRONG_MS);
    assert.deepEqual(sent(mosquitto.log.slice(began), "PUBACK"), []);
    assert.deepEqual(sent(mosquitto.log, "UNSUBSCRIBE"), []);
    assert.deepEqual(await raw.keys("causeway:r:*"), []);
    await bridge.stop();
    assert.deepEqual(sent(mosquitto.log.slice(began), "PUBACK"), []);

    const refused = startOn(bridge.dataDir, env);
    assert.deepEqual(await refused.exited, { code: 78, signal: null });
    assert.match(
      refused.output,
      /^Causeway cannot start: The store redis:\/\/\S+ has no identity, .*store-id names the store \S+: .*STORE_RESET=accept\.$/m,
    );
    assert.doesNotMatch(refused.output, /\n\s+at /);
    assert.deepEqual(await raw.keys("causeway:r:*"), [], "nothing was written there");

    const accepting = await startTestBridge({ ...env, DATA_DIR: bridge.dataDir, STORE_RESET: "accept" });
    await accepting.readiness(200);
    await accepting.stop();
    const again = await startTestBridge({ ...env, DATA_DIR: bridge.dataDir });
    await again.stop();
  });
});

function startOn(dataDir: string, env: Record<string, string>) {
  return startProcess(process.execPath, [...MAIN], {
    env: { PORT: "0", BROKER_PORT: "0", LOG_LEVEL: "warn", API_KEY: "", DATA_DIR: dataDir, ...env },
    cwd: dataDir,
  });
}
