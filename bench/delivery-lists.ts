/**
 * Lists of deliveries over many webhooks on both stores: latency of each kind of query, and what the index occupies.
 *
 *   node --import tsx bench/delivery-lists.ts [--webhooks 1000] [--each 100] [--calls 40] [--only sqlite]
 */
import { parseArgs } from "node:util";
import { v7 } from "uuid";
import { openRedisStore } from "../src/store/redis/open.ts";
import { openSqliteStore } from "../src/store/sqlite/open.ts";
import type { Store } from "../src/store/store.ts";
import { Deliveries } from "../src/uplink/queue/deliveries.ts";
import { InvalidField } from "../src/uplink/queue/delivery-filter.ts";
import { permanentFailure, postpone } from "../src/uplink/queue/delivery-queue.ts";
import { DeliveryQueues } from "../src/uplink/queue/delivery-queues.ts";
import { type DeliveryJob, queueName } from "../src/uplink/queue/job.ts";
import type { DeliveryQuery } from "../src/uplink/queue/lists/delivery-lists.ts";
import { temporaryDirectory } from "../test/support/directories.ts";
import { redisInstalled, startRedis } from "../test/support/redis.ts";

const { values } = parseArgs({
  options: {
    webhooks: { type: "string", default: "1000" },
    each: { type: "string", default: "100" },
    calls: { type: "string", default: "40" },
    only: { type: "string" },
  },
});
const [webhooks, each, calls] = [values.webhooks, values.each, values.calls].map(Number) as [number, number, number];
const log = { info() {}, warn() {}, error() {} };
const AT_ONCE = 20;
/** Milliseconds between two messages. */
const SPACING = 500;
const LIMIT_MS = 50;
const ids = Array.from({ length: webhooks }, () => `wh_${v7()}`);
const start = Date.now() - webhooks * each * SPACING;
const at = (share: number) => new Date(start + share * webhooks * each * SPACING).toISOString();

/** Each webhook has a device of its own, whose topics are spread over ten sites. */
const topicOf = (n: number, i: number) => `site-${n % 10}/device-${n}/${i % 2 === 0 ? "temperature" : "state"}`;

const QUERIES: [name: string, query: Partial<DeliveryQuery>, webhook?: string][] = [
  ["newest", {}],
  ["250 newest", { limit: 250 }],
  ["succeeded", { status: "succeeded" }],
  ["pending", { status: "pending" }],
  ["active: none", { status: "active" }],
  ["retrying: one in every webhook", { status: "retrying" }],
  ["failed: the oldest ten of 1 webhook in 20", { status: "failed" }],
  ["all devices' states", { topic: "+/+/state" }],
  ["one site", { topic: "site-3/#" }],
  ["one device", { topic: "site-7/device-7/+" }],
  ["one topic", { topic: "site-7/device-7/state" }],
  ["no such topic", { topic: "+/nothing/state" }],
  ["failed on one device", { status: "failed", topic: "+/device-40/#" }],
  ["failed, no such topic", { status: "failed", topic: "nothing/#" }],
  ["an hour in the middle", { since: at(0.5), until: at(0.55) }],
  ["retrying in that hour", { since: at(0.5), until: at(0.55), status: "retrying" }],
  ["one webhook", {}, ids[5]],
  ["one webhook, one topic, succeeded", { topic: topicOf(5, 0), status: "succeeded" }, ids[5]],
];

async function seed(store: Store, queues: DeliveryQueues): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < webhooks) {
      const n = next++;
      const jobs = Array.from({ length: each }, (_, i) => {
        const receivedAt = start + (i * webhooks + n) * SPACING;
        const data = { topic: topicOf(n, i), payload: "x".repeat(300), qos: 1 as const, retain: false, receivedAt };
        return { id: `msg_${v7({ msecs: receivedAt })}`, data };
      });
      await queues.add(ids[n]!, jobs);
      const taking = store.queues.worker<DeliveryJob>(queueName(ids[n]!), async () => undefined, { autorun: false });
      for (let i = 0; i < each * 0.9; i++) {
        const job = (await taking.getNextJob("token", { block: false }))!;
        if (n % 20 === 0 && i < 10) await job.moveToFailed(permanentFailure("no"), "token", false);
        else if (i === 20) await postpone(job as never, "token", 3_600_000);
        else await job.moveToCompleted({ at: at(1), statusCode: 204, error: null, durationMs: 5 }, "token", false);
      }
      await taking.close();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function percentile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

async function measure(name: string, store: Store): Promise<boolean> {
  const queues = new DeliveryQueues({
    openQueue: (queue) => store.queues.queue(queue),
    counters: store.counters,
    ledgers: store.ledgers,
    index: store.deliveryIndex,
  });
  const deliveries = new Deliveries(queues, () => false);
  const seedingAt = performance.now();
  await seed(store, queues);
  const seconds = (performance.now() - seedingAt) / 1_000;
  console.log(`\n${name}: ${webhooks} webhooks, ${webhooks * each} deliveries (made in ${seconds.toFixed(0)} s)`);
  const all: number[] = [];
  for (const [title, query, webhook] of QUERIES) {
    const times: number[] = [];
    let [items, after]: [number, string | undefined] = [0, undefined];
    for (let i = 0; i < calls; i++) {
      const begin = performance.now();
      const page = await deliveries.listAcross(webhook ? [webhook] : ids, { limit: 50, ...query, after });
      times.push(performance.now() - begin);
      if (page instanceof InvalidField) throw new Error(page.message);
      items += page.items.length;
      after = page.nextCursor ?? undefined;
    }
    all.push(...times);
    times.sort((a, b) => a - b);
    const figures = [0.5, 0.95, 1].map((share) => `${percentile(times, share).toFixed(1).padStart(7)} ms`).join("");
    console.log(`  ${title.padEnd(44)} p50, p95, most ${figures}   ${(items / calls).toFixed(0)} items`);
  }
  all.sort((a, b) => a - b);
  const p95 = percentile(all, 0.95);
  console.log(`  ${"all".padEnd(44)} p95 ${p95.toFixed(1)} ms, wanted ${LIMIT_MS} ms at most`);
  await queues.closeAll();
  return p95 <= LIMIT_MS;
}

let met = true;
if (values.only !== "redis") {
  const store = await openSqliteStore({ dataDir: temporaryDirectory("lists"), log, synchronous: "normal" });
  met = (await measure("SQLite", store)) && met;
  await store.close();
}
if (values.only !== "sqlite" && redisInstalled()) {
  const redis = await startRedis();
  const store = await openRedisStore({ url: redis.url, log });
  met = (await measure("Redis", store)) && met;
  await store.close();
  await redis.stop();
}
process.exitCode = met ? 0 : 1;
