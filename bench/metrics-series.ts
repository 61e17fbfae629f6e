/**
 * Metrics over time with thirty full days, on both stores: latency of both endpoints, what a webhook occupies, and what
 * it costs to record and to write.
 *
 *   node --import tsx bench/metrics-series.ts [--webhooks 1000] [--deliveries 100000] [--calls 100] [--only sqlite]
 *
 * By default the deliveries are spread over the month. With `--every-minute` each webhook is active in every minute of
 * it, the worst case of storage.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Redis } from "ioredis";
import { v7 } from "uuid";
import { Refused } from "../src/errors.ts";
import { SeriesReader } from "../src/ops/series/reader.ts";
import { SeriesRecorder } from "../src/ops/series/recorder.ts";
import type { Range } from "../src/ops/series/steps.ts";
import { openRedisStore } from "../src/store/redis/open.ts";
import { openSqliteStore } from "../src/store/sqlite/open.ts";
import type { Series, Store } from "../src/store/store.ts";
import { temporaryDirectory } from "../test/support/directories.ts";
import { redisInstalled, startRedis } from "../test/support/redis.ts";

const { values } = parseArgs({
  options: {
    webhooks: { type: "string", default: "1000" },
    deliveries: { type: "string", default: "100000" },
    calls: { type: "string", default: "100" },
    only: { type: "string" },
    "every-minute": { type: "boolean", default: false },
    "per-minute": { type: "string", default: "1" },
  },
});
const [webhooks, deliveries, calls] = [values.webhooks, values.deliveries, values.calls].map(Number) as [
  number,
  number,
  number,
];
const log = { info() {}, warn() {}, error() {} };
const LIMIT_MS = 50;
const [MINUTE_MS, DAYS_MS] = [60_000, 30 * 86_400_000];
const end = Date.now();
const start = end - DAYS_MS;
const ids = Array.from({ length: webhooks }, () => `wh_${v7()}`);

const QUERIES: [range: Range, stepSeconds?: number][] = [["1h"], ["24h"], ["24h", 60], ["30d"], ["30d", 86_400]];

/** Durations of attempts: most take 8 to 64 ms, some up to 4 s. */
const duration = () => 8 * 2 ** (Math.random() * (Math.random() < 0.95 ? 3 : 9));

function deliver(recorder: SeriesRecorder, id: string): void {
  recorder.received();
  recorder.enqueued(id);
  if (Math.random() < 0.05) recorder.attempted(id, "retryAt", duration());
  recorder.attempted(id, Math.random() < 0.01 ? "dead" : "delivered", duration());
}

/** Plays the month. Groups that no range reaches any more are not written, as they would have expired. */
async function seed({ series }: Store): Promise<void> {
  const clock = { at: start };
  const reachable = (group: string) =>
    !group.startsWith("minute") || Number(group.slice(7)) * 3_600_000 > end - 90_000_000;
  const put: Series["put"] = async (group, ...rest) => (reachable(group) ? series.put(group, ...rest) : undefined);
  const recorder = new SeriesRecorder({
    series: { put },
    webhooks: { get: () => true },
    onFailed: (error) => {
      throw error;
    },
    now: () => clock.at,
  });
  const perMinute = Number(values["per-minute"]);
  const minutes = DAYS_MS / MINUTE_MS;
  for (let minute = 0, done = 0; minute < minutes; minute++) {
    clock.at = start + minute * MINUTE_MS;
    if (values["every-minute"]) for (const id of ids) for (let i = 0; i < perMinute; i++) deliver(recorder, id);
    else for (; done < (deliveries * minute) / minutes; done++) deliver(recorder, ids[done % webhooks]!);
    if (minute % 60 === 59) await recorder.write();
  }
  await recorder.write();
}

function percentile(times: number[], share: number): number {
  return times.toSorted((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * share))]!;
}

const figures = (times: number[]) =>
  [0.5, 0.95, 1].map((share) => `${percentile(times, share).toFixed(1).padStart(7)} ms`).join("");

async function measure(name: string, store: Store, bytes: () => Promise<number>): Promise<boolean> {
  const empty = await bytes();
  const seedingAt = performance.now();
  await seed(store);
  const seconds = ((performance.now() - seedingAt) / 1_000).toFixed(0);
  const each = (((await bytes()) - empty) / webhooks / 1_024).toFixed(1);
  console.log(`\n${name}: ${webhooks} webhooks, 30 days (made in ${seconds} s), ${each} KiB a webhook`);
  const reader = new SeriesReader({ series: store.series });
  const calling: [title: string, call: (query: { range: Range; stepSeconds?: number }) => Promise<object>][] = [
    ["one webhook", (query) => reader.ofWebhook(ids[Math.floor(Math.random() * webhooks)]!, query)],
    ["all", (query) => reader.ofAll(query, ids, true)],
    ["50 own webhooks of a key with filters", (query) => reader.ofAll(query, ids.slice(0, 50), false)],
  ];
  let met = true;
  for (const [title, call] of calling) {
    for (const [range, stepSeconds] of QUERIES) {
      const times: number[] = [];
      const before = process.cpuUsage();
      for (let i = 0; i < calls; i++) {
        const begin = performance.now();
        const found = await call({ range, ...(stepSeconds && { stepSeconds }) });
        if (found instanceof Refused) throw new Error(found.detail);
        JSON.stringify(found);
        times.push(performance.now() - begin);
      }
      met = met && percentile(times, 0.95) <= LIMIT_MS;
      const query = `${range}${stepSeconds ? ` by ${stepSeconds} s` : ""}`;
      const { user, system } = process.cpuUsage(before);
      const cpu = `${((user + system) / calls / 1_000).toFixed(1)} ms of CPU`;
      console.log(`  ${`${title}, ${query}`.padEnd(56)} p50, p95, most ${figures(times)}   ${cpu}`);
    }
  }
  await measureWrites(store);
  return met;
}

/** One write while all webhooks are active. */
async function measureWrites({ series }: Store): Promise<void> {
  const recorder = new SeriesRecorder({ series, webhooks: { get: () => true }, onFailed: console.error });
  const times: number[] = [];
  const cpu = process.cpuUsage();
  for (let i = 0; i < 20; i++) {
    for (const id of ids) deliver(recorder, id);
    const begin = performance.now();
    await recorder.write();
    times.push(performance.now() - begin);
  }
  const { user, system } = process.cpuUsage(cpu);
  const ms = ((user + system) / 20 / 1_000).toFixed(1);
  console.log(
    `  ${"a write with every webhook changed".padEnd(56)} p50, p95, most ${figures(times)}   ${ms} ms of CPU`,
  );
}

/** The cost of counting alone. */
async function measureRecorder(): Promise<void> {
  const recorder = new SeriesRecorder({
    series: { put: async () => undefined },
    webhooks: { get: () => true },
    onFailed() {},
  });
  const count = 1_000_000;
  for (let round = 0; round < 4; round++) {
    const { user, system } = process.cpuUsage();
    for (let i = 0; i < count; i++) {
      const id = ids[i % webhooks]!;
      recorder.received();
      recorder.enqueued(id);
      recorder.attempted(id, "delivered", i % 200);
    }
    await recorder.write();
    const used = process.cpuUsage({ user, system });
    const microseconds = (used.user + used.system) / count;
    if (round > 0) console.log(`recording a message and its delivery: ${microseconds.toFixed(3)} µs of CPU`);
  }
}

await measureRecorder();
let met = true;
if (values.only !== "redis") {
  const dataDir = temporaryDirectory("series");
  const store = await openSqliteStore({ dataDir, log, synchronous: "normal" });
  const sizeOf = (file: string) => statSync(join(dataDir, file), { throwIfNoEntry: false })?.size ?? 0;
  met = (await measure("SQLite", store, async () => sizeOf("causeway.db"))) && met;
  await store.close();
}
if (values.only !== "sqlite" && redisInstalled()) {
  const redis = await startRedis({ args: ["--appendonly", "no"] });
  const [store, raw] = [await openRedisStore({ url: redis.url, log }), new Redis(redis.url)];
  const used = async () => Number(/used_memory:(\d+)/.exec(await raw.info("memory"))![1]);
  met = (await measure("Redis", store, used)) && met;
  raw.disconnect();
  await store.close();
  await redis.stop();
}
process.exitCode = met ? 0 : 1;
