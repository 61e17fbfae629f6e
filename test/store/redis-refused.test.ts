/** A STORE_URL that can never work ends the start with a clear message; one that may work later is waited for. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { Redis } from "ioredis";
import { StoreConfigError } from "../../src/store/errors.ts";
import { openRedisStore } from "../../src/store/redis/open.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { startRedis } from "../support/redis.ts";
import { requireOrSkip } from "../support/requirements.ts";

const quiet = { info() {}, warn() {}, error() {} };

async function refused(url: string, pattern: RegExp): Promise<void> {
  const signal = AbortSignal.timeout(20_000);
  await assert.rejects(openRedisStore({ url, log: quiet, signal }), (error: Error) => {
    assert.ok(error instanceof StoreConfigError, `${error.name}: ${error.message}`);
    assert.match(error.message, pattern);
    assert.doesNotMatch(error.message, /\n|hunter2/);
    return true;
  });
}

/** Starts a server that is not Redis and sends one text to each connection. */
async function saying(t: TestContext, text: string): Promise<string> {
  const server = createServer((socket) => socket.on("error", () => {}).write(text)).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("a start with a STORE_URL that cannot work", requireOrSkip("redis-server"), () => {
  it("is refused at a port where another protocol responds", async (t) => {
    const http = await saying(t, "HTTP/1.1 400 Bad Request\r\n\r\n");
    await refused(`redis://${http}`, /something else than Redis answers there/);
    await refused(`rediss://${http}`, /no TLS is spoken there/);
    await refused(
      `redis://${await saying(t, "\x15\x03\x01\x00\x02\x02\x46")}`,
      /something else than Redis .* rediss:\/\//,
    );
  });

  it("is refused with a URL that cannot be parsed", async () => {
    await refused("redis://hunter2:%zz@127.0.0.1:1", /cannot be read .* encode special characters/);
    await refused("redis://127.0.0.1:1?keyPrefix=x", /must not set keyPrefix/);
  });

  it("is refused without the password, with a wrong one, and for a database that does not exist", async (t) => {
    const redis = await startRedis();
    const raw = new Redis(redis.url);
    t.after(async () => {
      raw.disconnect();
      await redis.stop();
    });
    await refused(`${redis.url}/99`, /no database with the number at its end/);
    await refused(`${redis.url}/99999999999999999999`, /no database with the number at its end/);
    await raw.config("SET", "requirepass", "right");
    await refused(redis.url, /NOAUTH.* asks for a password/);
    await refused(redis.url.replace("//", "//:hunter2@"), /WRONGPASS.* correct the user name or the password/);
  });

  it("is refused at a node of a cluster", async (t) => {
    // By default the bus gets the port 10,000 above, which one of the many outgoing connections may have.
    const args = ["--cluster-enabled", "yes", "--cluster-port", String(await freePort())];
    const redis = await startRedis({ args });
    t.after(() => redis.stop());
    await refused(redis.url, /a node of a Redis Cluster, which Causeway cannot use/);
  });

  it("waits for a read-only replica to become the master, and reports it once", async (t) => {
    const master = await startRedis();
    const replica = await startRedis({ args: ["--replicaof", "127.0.0.1", String(master.port)] });
    const raw = new Redis(replica.url);
    t.after(async () => {
      raw.disconnect();
      await Promise.all([replica.stop(), master.stop()]);
    });
    const lines: string[] = [];
    const record = (fields: { err?: Error }, message: string) =>
      void lines.push(`${message} ${fields.err?.message ?? ""}`);
    const log = { info: record, warn: record, error: record };
    const opening = openRedisStore({ url: replica.url, log, signal: AbortSignal.timeout(30_000) });
    await eventually(
      () => lines.length,
      (count) => count > 0,
    );
    assert.match(lines[0]!, /^store_lost READONLY/);
    await raw.replicaof("NO", "ONE");
    const store = await opening;
    await store.ping();
    assert.equal(lines.filter((line) => line.startsWith("store_lost")).length, 1);
    await store.close();
  });
});
