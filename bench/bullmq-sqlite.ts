/**
 * Compares the queue on SQLite and on Redis: jobs added, taken and finished per second, through BullMQ's own classes.
 *
 *   node --import tsx bench/bullmq-sqlite.ts [--jobs 30000] [--producers 200] [--consumers 50] [--only sqlite]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { Queue, type QueueOptions, Worker } from "bullmq";
import { Redis } from "ioredis";
import { createSqliteBackend, SqliteConnection } from "../src/bullmq-sqlite/index.ts";
import { redisInstalled, startRedis } from "../test/support/redis.ts";

const { values } = parseArgs({
  options: {
    jobs: { type: "string", default: "30000" },
    producers: { type: "string", default: "200" },
    consumers: { type: "string", default: "50" },
    /** Length of the event stream, as the bridge sets it. */
    events: { type: "string", default: "100" },
    only: { type: "string" },
  },
});
const [jobs, producers, consumers] = [values.jobs, values.producers, values.consumers].map(Number) as [
  number,
  number,
  number,
];
const data = { body: "x".repeat(300) };
const queueOptions = { streams: { events: { maxLen: Number(values.events) } } };

interface Subject {
  name: string;
  queue: Queue;
  worker(process: () => Promise<void>): Worker;
  /** CPU time of a server beside this process, in µs. */
  serverCpu(): Promise<number>;
  close(): Promise<void>;
}

async function sqlite(): Promise<Subject> {
  const directory = await mkdtemp(join(tmpdir(), "bullmq-sqlite-"));
  const connection = await SqliteConnection.open({ file: join(directory, "queues.db") });
  const options = { connection, ...queueOptions } as unknown as QueueOptions;
  return {
    name: "SQLite, fsync per batch",
    queue: new Queue("bench", options, createSqliteBackend as never),
    worker: (process) =>
      new Worker(
        "bench",
        process,
        { connection: connection as never, concurrency: consumers, removeOnComplete: { count: 0 } },
        createSqliteBackend as never,
      ),
    serverCpu: async () => 0,
    async close() {
      await connection.close();
      await rm(directory, { recursive: true });
    },
  };
}

async function redis(): Promise<Subject> {
  const server = await startRedis();
  const connection = { port: server.port, host: "127.0.0.1" };
  const admin = new Redis(server.port);
  return {
    name: "Redis, appendfsync always",
    queue: new Queue("bench", { connection, ...queueOptions }),
    worker: (process) =>
      new Worker("bench", process, {
        connection: { ...connection, maxRetriesPerRequest: null },
        concurrency: consumers,
        removeOnComplete: { count: 0 },
      }),
    async serverCpu() {
      const info = await admin.info("cpu");
      const seconds = [...info.matchAll(/^used_cpu_(?:sys|user):([\d.]+)/gm)].map(([, value]) => Number(value));
      return seconds.reduce((sum, value) => sum + value, 0) * 1e6;
    },
    async close() {
      admin.disconnect();
      await server.stop();
    },
  };
}

async function measure({ name, queue, worker: createWorker, serverCpu, close }: Subject): Promise<void> {
  await queue.waitUntilReady();
  let finished = 0;
  let done = () => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  const loop = monitorEventLoopDelay({ resolution: 1 });
  const serverBefore = await serverCpu();
  const cpu = process.cpuUsage();
  const start = performance.now();
  loop.enable();
  const worker = createWorker(async () => {});
  worker.on("completed", () => {
    finished += 1;
    if (finished === jobs) done();
  });
  worker.on("error", (error) => console.error(name, error));
  let next = 0;
  const produce = async () => {
    while (next < jobs) {
      next += 1;
      await queue.add("message", data, { jobId: `message-${next}` });
    }
  };
  await Promise.all(Array.from({ length: producers }, produce));
  const added = performance.now();
  await all;
  const end = performance.now();
  loop.disable();
  const { user, system } = process.cpuUsage(cpu);
  const server = (await serverCpu()) - serverBefore;
  const perSecond = Math.round(jobs / ((end - start) / 1_000));
  console.log(
    `${name}: ${perSecond} jobs/s (added in ${Math.round(added - start)} of ${Math.round(end - start)} ms), ` +
      `${Math.round((user + system) / jobs)} µs of CPU each in this process and ${Math.round(server / jobs)} in the server, ` +
      `event-loop delay p50 ${(loop.percentile(50) / 1e6).toFixed(1)}, p99 ${(loop.percentile(99) / 1e6).toFixed(1)} ms, ` +
      `resident ${Math.round(process.memoryUsage.rss() / 1e6)} MB`,
  );
  await worker.close();
  await queue.close();
  await close();
}

if (values.only !== "redis") await measure(await sqlite());
if (values.only !== "sqlite" && redisInstalled()) await measure(await redis());
