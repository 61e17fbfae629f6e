/**
 * Data of a newer bridge, or of one that is too old, is refused with exit code 78 and stays unchanged, also if it becomes
 * newer at run time.
 */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Redis } from "ioredis";
import { FORMAT } from "../../src/store/format.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { type RedisContent, readRedis } from "../support/old-data.ts";
import { startProcess } from "../support/processes.ts";
import { MAIN } from "../support/program.ts";
import { startRedis } from "../support/redis.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { mosquittoAndRedis, startScenario } from "../support/scenario.ts";

const NEWER = { format: FORMAT.format + 2, readableFrom: FORMAT.format + 1 };
const REFUSED = `was written by a newer Causeway: it has format ${NEWER.format}, for bridges of format ${NEWER.readableFrom} or newer`;

function start(env: Record<string, string> & { DATA_DIR: string }) {
  const settings = { PORT: "0", BROKER_PORT: "0", API_KEY: "", LOG_LEVEL: "warn", ...env };
  return startProcess(process.execPath, [...MAIN], {
    env: settings,
    cwd: settings.DATA_DIR,
  });
}

const servers = mosquittoAndRedis("5");
/** Ignores keys that expire by themselves. */
const lasting = (content: RedisContent) => Object.entries(content).filter(([, [, , ttlMs]]) => ttlMs < 0);

describe("data of format 1", () => {
  const OLD = { format: 1, readableFrom: 1 };
  const REFUSAL = /Causeway cannot start: The data in \S+ has format 1, and this version reads format 2 or newer\./;

  it("is refused in a data directory and stays unchanged", async () => {
    const dataDir = temporaryDirectory("older");
    writeFileSync(join(dataDir, "format"), JSON.stringify(OLD));
    const refused = start({ DATA_DIR: dataDir });
    assert.deepEqual(await refused.exited, { code: 78, signal: null });
    assert.match(refused.output, REFUSAL);
    assert.doesNotMatch(refused.output, /\n\s+at /);
    assert.deepEqual(readdirSync(dataDir), ["format"]);
    assert.deepEqual(JSON.parse(readFileSync(join(dataDir, "format"), "utf8")), OLD);
  });

  it("is refused in Redis and stays unchanged", { ...requireOrSkip("redis-server") }, async (t) => {
    const redis = await startRedis();
    const client = new Redis(redis.url);
    t.after(async () => {
      client.disconnect();
      await redis.stop();
    });
    await client.hset("causeway:r:format", "store", `1 ${JSON.stringify(OLD)}`);
    const before = await readRedis(client);
    const refused = start({ STORE_URL: redis.url, DATA_DIR: temporaryDirectory("older") });
    assert.deepEqual(await refused.exited, { code: 78, signal: null });
    assert.match(refused.output, REFUSAL);
    assert.deepEqual(lasting(await readRedis(client)), lasting(before));
  });
});

describe("data of a newer bridge", () => {
  it("is refused in a data directory and stays unchanged", async () => {
    const dataDir = temporaryDirectory("newer");
    writeFileSync(join(dataDir, "format"), JSON.stringify(NEWER));
    const refused = start({ DATA_DIR: dataDir });
    assert.deepEqual(await refused.exited, { code: 78, signal: null });
    assert.ok(refused.output.includes(`Causeway cannot start: The data in ${dataDir} ${REFUSED}`), refused.output);
    assert.match(refused.output, /Start the newer version again, or this one on a backup from before the upgrade\./);
    assert.deepEqual(readdirSync(dataDir), ["format"]);
    assert.deepEqual(JSON.parse(readFileSync(join(dataDir, "format"), "utf8")), NEWER);
  });

  it("is refused in Redis, and ends a running bridge", servers.options, async (t) => {
    const { bridge, redis, brokerUrl } = await startScenario(t, servers, { device: false });
    const env = { STORE_URL: redis!.url, MQTT_URL: brokerUrl };
    const client = new Redis(env.STORE_URL);
    t.after(() => client.disconnect());
    const write = async (format: object) => {
      await client.hset("causeway:r:format", "store", `7 ${JSON.stringify(format)}`);
      await client.publish("causeway:n:format", "store");
    };
    await write({ ...NEWER, readableFrom: FORMAT.format });
    assert.equal((await bridge.api("GET", "/readyz")).status, 200, "it may be read");
    await write(NEWER);
    await bridge.waitForOutput(new RegExp(`Causeway cannot go on: The data in redis://\\S+ ${REFUSED}`));
    assert.deepEqual(await bridge.ended, { code: 78, signal: null });

    const before = await readRedis(client);
    const refused = start({ ...env, DATA_DIR: temporaryDirectory("newer") });
    assert.deepEqual(await refused.exited, { code: 78, signal: null });
    assert.match(refused.output, new RegExp(`Causeway cannot start: The data in redis://127.0.0.1:\\d+ ${REFUSED}`));
    assert.deepEqual(lasting(await readRedis(client)), lasting(before));
  });
});
