/** Named outcomes of the delivery queue: the same on both backends. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { DelayedError, RateLimitError, type Worker } from "bullmq";
import pino from "pino";
import { newId, toStored } from "../../../src/message.ts";
import { openStore } from "../../../src/store/open.ts";
import type { Store } from "../../../src/store/store.ts";
import {
  DeliveryQueue,
  isPermanentFailure,
  isRefusal,
  limiterOf,
  permanentFailure,
  postpone,
  queuePaused,
} from "../../../src/uplink/queue/delivery-queue.ts";
import type { DeliveryJob, QueuedJob } from "../../../src/uplink/queue/job.ts";
import { temporaryDirectory } from "../../support/directories.ts";
import { startRedis, type TestRedis } from "../../support/redis.ts";
import { requireOrSkip } from "../../support/requirements.ts";

const log = pino({ level: "silent" });
const HOUR_MS = 3_600_000;
const data: DeliveryJob = toStored({
  ...{ id: "", topic: "t", payload: Buffer.from("1"), qos: 1 as const, retain: false, receivedAt: 0 },
});

for (const kind of ["redis", "embedded"] as const) {
  const options = kind === "redis" ? requireOrSkip("redis-server") : { skip: false as const };
  describe(`the queue of a webhook: ${kind}`, options, () => {
    let redis: TestRedis | undefined;
    let store: Store;
    let names = 0;

    before(async () => {
      redis = kind === "redis" ? await startRedis() : undefined;
      store = await openStore({ storeUrl: redis?.url, dataDir: temporaryDirectory("delivery-queue"), log });
    });
    after(async () => {
      await store.close();
      await redis?.stop();
    });

    interface Tools {
      queue: DeliveryQueue;
      add(count: number, delay?: number): Promise<string[]>;
      /** Takes jobs with this processor until the test ends. */
      work(processor: (job: QueuedJob, token?: string) => Promise<unknown>, options?: object): Worker;
    }

    const withQueue = (run: (tools: Tools) => Promise<void>) => async () => {
      const name = `q-${names++}`;
      const queue = new DeliveryQueue(store.queues.queue(name));
      const workers: Worker[] = [];
      try {
        await run({
          queue,
          async add(count, delay = 0) {
            const ids = Array.from({ length: count }, () => newId("msg"));
            await queue.add(ids.map((id) => ({ id, data, delay })));
            return ids;
          },
          work(processor, options) {
            const worker = store.queues.worker<DeliveryJob>(name, processor, options) as unknown as Worker;
            workers.push(worker);
            return worker;
          },
        });
      } finally {
        for (const worker of workers) await worker.close();
        await queue.close();
      }
    };

    it(
      "tells the states of jobs apart, and a job that is gone",
      withQueue(async ({ queue, add, work }) => {
        const [delayed] = await add(1, HOUR_MS);
        const [first, second] = await add(2);
        const states = (ids: (string | undefined)[]) => Promise.all(ids.map((id) => queue.stateOf(id!)));
        assert.deepEqual(await states([delayed, first, second, newId("msg")]), [
          "delayed",
          "waiting",
          "waiting",
          "gone",
        ]);
        const worker = work(async (job) => {
          if (job.id === first) throw permanentFailure("no");
        });
        await once(worker, "completed");
        assert.deepEqual(await states([delayed, first, second]), ["delayed", "failed", "completed"]);
        const counts = { active: 0, waiting: 0, prioritized: 0, delayed: 1, failed: 1, completed: 1 };
        assert.deepEqual(await queue.counts(), counts);
        assert.deepEqual(await queue.ids("delayed"), [delayed]);
      }),
    );

    it(
      "promotes and removes delayed jobs only",
      withQueue(async ({ queue, add }) => {
        const [id] = await add(1, HOUR_MS);
        assert.equal(await queue.promote(id!), true);
        assert.equal(await queue.promote(id!), false);
        assert.equal(await queue.promote(newId("msg")), false);
        assert.equal(await queue.removeDelayed(id!), false);
        assert.equal(await queue.remove(id!), true);
        assert.equal(await queue.removeDelayed(id!), false);
      }),
    );

    it(
      "refuses changes of a job that is gone or has changed, without an error",
      withQueue(async ({ queue, add, work }) => {
        const [id, other] = await add(2);
        await once(
          work(async () => {}),
          "drained",
        );
        const job = (await queue.get(id!))!;
        assert.equal(await queue.recordSuccessor(id!, other!), true);
        assert.deepEqual((await queue.get(id!))!.progress, { next: other });
        assert.equal(await queue.retry(job, "failed", true), false);
        await queue.remove(id!);
        assert.equal(await queue.retry(job, "completed", true), false);
        assert.equal(await queue.replaceData(job, data), false);
        assert.equal(await queue.appendLog(job, "row"), false);
        assert.equal(await queue.recordSuccessor(id!, other!), false);
        await queue.moveToFront(job);
        assert.deepEqual(await queue.logOf(id!), []);
        assert.equal(await queue.get("meta"), undefined, "a key of BullMQ itself");
      }),
    );

    it(
      "retries a job before or after the waiting ones, with its attempts unused",
      withQueue(async ({ queue, add, work }) => {
        const ended = await add(2);
        const first = work(async () => {});
        await once(first, "drained");
        await first.close();
        const waiting = await add(1);
        assert.equal(await queue.retry((await queue.get(ended[0]!))!, "completed", true), true);
        assert.equal(await queue.retry((await queue.get(ended[1]!))!, "completed", false), true);
        const order: string[] = [];
        const worker = work(async (job) => {
          assert.equal(job.attemptsMade, 0);
          order.push(job.id!);
        });
        await once(worker, "drained");
        assert.deepEqual(order, [ended[0], waiting[0], ended[1]]);
      }),
    );

    it(
      "removes those waiting jobs that would be processed next",
      withQueue(async ({ queue, add }) => {
        const ids = await add(5);
        assert.deepEqual((await queue.nextWaiting(2)).sort(), ids.slice(0, 2).sort());
        assert.equal(await queue.removeWaiting(2), 2);
        assert.deepEqual((await queue.ids("waiting")).sort(), ids.slice(2).sort());
        assert.deepEqual(await queue.nextWaiting(0), []);
      }),
    );

    it(
      "ends a run in the four ways of a worker, and tells a refusal from an outage",
      withQueue(async ({ queue, add, work }) => {
        const [id] = await add(1);
        const ends: unknown[] = [];
        const refused: unknown[] = [];
        const worker = work(
          async (job, token) => {
            if (ends.length === 0) {
              await postpone(job, "another token", 0).catch((error: unknown) => refused.push(error));
              ends.push(await postpone(job, token, 0));
            } else if (ends.length === 1) {
              await queue.pause(20);
              ends.push(queuePaused());
            } else ends.push(permanentFailure("last"));
            throw ends.at(-1);
          },
          { limiter: limiterOf(undefined) },
        );
        await once(worker, "failed");
        assert.deepEqual([ends[0] instanceof DelayedError, ends[1] instanceof RateLimitError], [true, true]);
        assert.deepEqual(ends.map(isPermanentFailure), [false, false, true]);
        assert.deepEqual(refused.map(isRefusal), [true]);
        assert.equal(isRefusal(new Error("Connection is closed.")), false);
        assert.equal((await queue.get(id!))!.attemptsMade, 1);
        assert.equal(await queue.stateOf(id!), "failed");
      }),
    );
  });
}

it("a job that ends while it is read with its state is not reported as ended without its result", async () => {
  let ended = false;
  const endAfter = <T>(value: T) => {
    ended = true;
    return Promise.resolve(value);
  };
  const queue = new DeliveryQueue({
    getJobState: () => endAfter(ended ? "completed" : "active"),
    getJob: () => endAfter({ returnvalue: ended ? "result" : null }),
  } as unknown as ConstructorParameters<typeof DeliveryQueue>[0]);
  const { job, state } = (await queue.getWithState(newId("msg")))!;
  assert.ok(state !== "completed" || job.returnvalue === "result");
});
