/**
 * Data of a bridge with an earlier format: a sample of everything stored. `npm run fixtures` lets a bridge write it and
 * puts it into `test/fixtures`, where it stays permanently: tests start later bridges on it.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";
import type { Redis } from "ioredis";
import { connectAsync } from "mqtt";
import type { TestBridge } from "./bridge.ts";
import type { Receiver } from "./receiver.ts";

/** References to the data for later tests. */
export interface Left {
  /** Time of writing, in milliseconds since the epoch. */
  at: number;
  /** URL of the receiver, used in the webhooks' URLs. */
  receiver: string;
  /** Webhooks by name. */
  webhooks: Record<string, { id: string; secret: string }>;
  key: string;
  requestId: string;
  responseTopic: string;
  /** A message scheduled after `at`. */
  scheduledId: string;
  /** Response to the POST that tests repeat. */
  once: Record<string, unknown>;
  replayId: string;
}

/** Body of the message sent with the Idempotency-Key `once`. */
export const ONCE = { topic: "old/once", payload: "once" };
const RETRY = { scheduleSeconds: [5, 5] };
const SCHEDULED_MS = 30_000;

/** Creates a sample of everything. The receiver answers 500 to `/down` and 204 to all else. */
export async function leaveBehind(bridge: TestBridge, brokerUrl: string, receiver: Receiver): Promise<Left> {
  receiver.answer = ({ path }) => (path === "/down" ? 500 : 204);
  const register = (name: string, webhook: object) =>
    bridge.register({ name, url: `${receiver.url}/${name}`, topics: [`old/${name}`], ...webhook });
  const webhooks = {
    paused: await register("paused", { enabled: false, headers: { "x-secret": "old" } }),
    ordered: await register("ordered", {
      enabled: false,
      ordering: "topic",
      filter: "data != 'no'",
      transform: "data",
    }),
    done: await register("done", { topics: ["old/done", "old/later"], auth: { type: "bearer", token: "old-token" } }),
    down: await register("down", { retry: RETRY }),
    dead: await register("dead", { url: `${receiver.url}/down`, retry: { scheduleSeconds: [] } }),
  };
  const device = await connectAsync(brokerUrl);
  const publish = (topic: string, payload: string | Buffer) => device.publishAsync(topic, payload, { qos: 1 });
  await publish("old/paused", "text");
  await publish("old/paused", Buffer.from([0, 255, 1]));
  for (const payload of ["one", "two"]) await publish("old/ordered", payload);
  await publish("old/done", "done");
  await publish("old/dead", "dead");
  await receiver.until((calls) => calls.some(({ path }) => path === "/done"));

  const replay = await bridge.api("POST", `/v1/webhooks/${webhooks.done.id}/replay`, { status: "succeeded" });
  await receiver.until((calls) => calls.filter(({ path }) => path === "/done").length === 2);
  const key = await bridge.api("POST", "/v1/keys", { name: "old", scopes: ["publish"], publish: ["old/#"] });
  const once = await bridge.api("POST", "/v1/messages", ONCE, { "idempotency-key": "once" });
  const later = { prefer: "respond-async" };
  const request = { topic: "old/ask", payload: "?", responseTopic: "old/answer/{requestId}", match: "topic" };
  const asked = await bridge.api("POST", "/v1/requests", { ...request, expirySeconds: 3_600 }, later);
  const sendAt = new Date(Date.now() + SCHEDULED_MS).toISOString();
  const scheduled = await bridge.api("POST", "/v1/messages", { topic: "old/later", payload: "later", sendAt }, later);
  await device.publishAsync("old/kept", "kept", { qos: 1, retain: true });
  await publish("old/down", "down");
  await receiver.until(() => receiver.attempts.filter(({ path }) => path === "/down").length === 2);
  await delay(500); // for writes after the response
  await device.endAsync();
  return {
    at: Date.now(),
    receiver: receiver.url,
    webhooks: Object.fromEntries(Object.entries(webhooks).map(([name, { id, secret }]) => [name, { id, secret }])),
    key: key.body.key,
    requestId: asked.body.id,
    responseTopic: `old/answer/${asked.body.id}`,
    scheduledId: scheduled.body.id,
    once: once.body,
    replayId: replay.body.id,
  };
}

type Entry = [type: string, content: unknown, ttlMs: number];
/** Every key of a Redis in readable form. */
export type RedisContent = Record<string, Entry>;

export async function readRedis(redis: Redis): Promise<RedisContent> {
  const content: RedisContent = {};
  for (const key of (await redis.keys("*")).sort()) {
    const type = await redis.type(key);
    if (type === "none") continue; // It has expired since.
    const read: Record<string, () => Promise<unknown>> = {
      string: () => redis.get(key),
      hash: () => redis.hgetall(key),
      list: () => redis.lrange(key, 0, -1),
      set: () => redis.smembers(key),
      zset: () => redis.zrange(key, "0", "-1", "WITHSCORES"),
      stream: () => redis.xrange(key, "-", "+"),
    };
    content[key] = [type, await read[type]!(), await redis.pttl(key)];
  }
  return content;
}

export async function writeRedis(redis: Redis, content: RedisContent): Promise<void> {
  for (const [key, [type, value, ttlMs]] of Object.entries(content)) {
    const list = value as string[];
    if (type === "string") await redis.set(key, value as string);
    if (type === "hash") await redis.hset(key, value as Record<string, string>);
    if (type === "list") await redis.rpush(key, ...list);
    if (type === "set") await redis.sadd(key, ...list);
    if (type === "zset") for (let i = 0; i < list.length; i += 2) await redis.zadd(key, list[i + 1]!, list[i]!);
    if (type === "stream")
      for (const [id, fields] of value as [string, string[]][]) await redis.xadd(key, id, ...fields);
    if (ttlMs > 0) await redis.pexpire(key, ttlMs);
  }
}

const FIXTURES = fileURLToPath(new URL("../fixtures/", import.meta.url));

export const fixture = (name: string) => FIXTURES + name;

/** Packs a data directory into one file: a line with the directories and the files with sizes, then the bytes. */
export function pack(dataDir: string, file: string): void {
  const entries = readdirSync(dataDir, { recursive: true, withFileTypes: true }).map((entry) => ({
    path: relative(dataDir, join(entry.parentPath, entry.name)),
    bytes: entry.isFile() ? readFileSync(join(entry.parentPath, entry.name)) : undefined,
  }));
  const head = entries.map(({ path, bytes }) => [path, bytes ? bytes.length : null]);
  const all = Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), ...entries.flatMap(({ bytes }) => bytes ?? [])]);
  writeFileSync(file, brotliCompressSync(all, { params: { [constants.BROTLI_PARAM_LGWIN]: 24 } }));
}

export function unpack(file: string, dataDir: string): void {
  const all = brotliDecompressSync(readFileSync(file));
  let at = all.indexOf("\n") + 1;
  const head = JSON.parse(all.subarray(0, at).toString()) as [path: string, size: number | null][];
  for (const [path] of head.filter(([, size]) => size === null)) mkdirSync(join(dataDir, path), { recursive: true });
  for (const [path, size] of head) {
    if (size === null) continue;
    writeFileSync(join(dataDir, path), all.subarray(at, at + size), { mode: 0o600 });
    at += size;
  }
}
