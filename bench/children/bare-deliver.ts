/** Baseline for deliveries: a BullMQ worker that posts each job with undici, unsigned and unlogged. */
import { Queue, Worker } from "bullmq";
import { Agent, request } from "undici";
import { answer, setting } from "./answer.ts";

const CHUNK = 1_000;
const redis = new URL(setting("REDIS_URL"));
const connection = { host: redis.hostname, port: Number(redis.port), maxRetriesPerRequest: null };
const url = setting("SINK_URL");
const concurrency = Number(setting("CONCURRENCY"));

const queue = new Queue("bare-deliver", { connection });
const dispatcher = new Agent({ connections: concurrency });
let worker: Worker | undefined;

answer({
  /** Queues `count` jobs without delivering any. */
  async fill({ count, payload }) {
    for (let from = 0; from < Number(count); from += CHUNK) {
      const size = Math.min(CHUNK, Number(count) - from);
      const jobs = Array.from({ length: size }, () => ({
        name: "message",
        data: { topic: "bench/deliver", payload, qos: 1, receivedAt: Date.now() },
      }));
      await queue.addBulk(jobs);
    }
  },
  run() {
    const options = { connection, concurrency, removeOnComplete: { count: 1_000 } };
    worker = new Worker(
      queue.name,
      async (job) => {
        const { statusCode, body } = await request(url, {
          method: "POST",
          headers: { "content-type": "application/json", "webhook-id": job.id! },
          body: JSON.stringify(job.data),
          dispatcher,
        });
        await body.dump();
        if (statusCode >= 300) throw new Error(`the receiver answered ${statusCode}`);
      },
      options,
    );
    worker.on("error", () => {});
  },
  rest: () => worker?.close(),
});
