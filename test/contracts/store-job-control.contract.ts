import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DelayedError, type Job, UnrecoverableError, Worker } from "bullmq";
import type { Subject } from "./store.contract.ts";
import { Seen, withQueue } from "./store-queue-tools.ts";

export function jobControlContract({ store }: Subject): void {
  describe("job control", () => {
    test("a failing job is retried after its own back-off, and then fails", async () => {
      await withQueue<null>(store(), "backoff", async (queue, work) => {
        const tries = new Seen<number>();
        const failed = new Seen<number>();
        const worker = work(
          "backoff",
          async (job) => {
            tries.add(job.attemptsMade);
            throw new Error(`no ${job.attemptsMade}`);
          },
          { settings: { backoffStrategy: (made) => made * 40 } },
        );
        worker.on("failed", (job) => failed.add(job?.attemptsMade ?? -1));
        const at = performance.now();
        await queue.add("x", null, { jobId: "m-1", attempts: 3, backoff: { type: "custom" } });
        assert.deepEqual(await failed.until(3), [1, 2, 3]);
        assert.deepEqual(tries.items, [0, 1, 2]);
        assert.ok(performance.now() - at >= 40 + 80);
        const job = await queue.getJob("m-1");
        assert.equal(await job?.getState(), "failed");
        assert.equal(job?.failedReason, "no 2");
      });
    });

    test("a job moved to delayed (DelayedError) runs again without losing an attempt", async () => {
      await withQueue<null>(store(), "delayed", async (queue, work) => {
        const tries = new Seen<[number, number]>();
        work("delayed", async (job, token) => {
          tries.add([job.attemptsMade, Date.now()]);
          if (tries.items.length === 1) {
            await job.moveToDelayed(Date.now() + 200, token);
            throw new DelayedError();
          }
        });
        await queue.add("x", null, { attempts: 1 });
        const [first, second] = await tries.until(2);
        assert.deepEqual([first![0], second![0]], [0, 0]);
        assert.ok(second![1] - first![1] >= 195, `after ${second![1] - first![1]} ms`);
      });
    });

    test("a rate limit pauses the whole queue and costs no attempt", async () => {
      await withQueue<string>(store(), "limited", async (queue, work) => {
        const tries = new Seen<[string, number, number]>();
        const worker = work<string>(
          "limited",
          async (job) => {
            tries.add([job.data, job.attemptsMade, Date.now()]);
            if (tries.items.length === 1) {
              await worker.rateLimit(400);
              throw Worker.RateLimitError();
            }
          },
          // BullMQ ignores `rateLimit` unless a limiter is set.
          { limiter: { max: 1_000_000, duration: 1_000 } },
        );
        await queue.addBulk([
          { name: "x", data: "a", opts: { attempts: 1 } },
          { name: "x", data: "b", opts: { attempts: 1 } },
        ]);
        const [first, ...rest] = await tries.until(3);
        assert.deepEqual(rest.map(([data]) => data).sort(), ["a", "b"]);
        for (const [data, made, at] of rest) {
          assert.equal(made, 0);
          assert.ok(at - first![2] >= 350, `${data} ran ${at - first![2]} ms after the limit began`);
        }
      });
    });

    test("an unrecoverable error ends the attempts", async () => {
      await withQueue<null>(store(), "unrecoverable", async (queue, work) => {
        const failed = new Seen<number>();
        work("unrecoverable", async () => {
          throw new UnrecoverableError("gone");
        }).on("failed", (job) => failed.add(job?.attemptsMade ?? -1));
        await queue.add("x", null, { jobId: "m-1", attempts: 5 });
        assert.deepEqual(await failed.until(1), [1]);
        assert.equal(await (await queue.getJob("m-1"))?.getState(), "failed");
      });
    });

    test("a paused queue keeps its jobs until it is resumed", async () => {
      await withQueue<number>(store(), "paused", async (queue, work) => {
        const got = new Seen<number>();
        work<number>("paused", async (job) => got.add(job.data));
        await queue.add("x", 0);
        await got.until(1);
        await queue.pause();
        assert.equal(await queue.isPaused(), true);
        await queue.addBulk([1, 2].map((data) => ({ name: "x", data })));
        assert.equal((await queue.getJobs(["waiting"])).length, 2);
        assert.equal(got.items.length, 1);
        const at = performance.now();
        await queue.resume();
        assert.deepEqual(await got.until(3), [0, 1, 2]);
        assert.ok(performance.now() - at < 2_000);
      });
    });

    test("failed jobs are listed and can be retried", async () => {
      await withQueue<number>(store(), "retry", async (queue, work) => {
        let healthy = false;
        const failed = new Seen<number>();
        const completed = new Seen<number>();
        const worker = work<number>("retry", async () => {
          if (!healthy) throw new Error("down");
        });
        worker.on("failed", (job) => failed.add(job?.data ?? -1));
        worker.on("completed", (job) => completed.add(job.data));
        await queue.addBulk([1, 2, 3].map((data) => ({ name: "x", data, opts: { jobId: `m-${data}` } })));
        await failed.until(3);
        const dead: Job<number>[] = await queue.getJobs(["failed"], 0, 1, true);
        assert.deepEqual(
          dead.map((job) => [job.id, job.failedReason]),
          [
            ["m-1", "down"],
            ["m-2", "down"],
          ],
        );
        healthy = true;
        await dead[0]!.retry();
        assert.deepEqual(await completed.until(1), [1]);
        await queue.retryJobs({ state: "failed" });
        await completed.until(3);
        assert.deepEqual([...completed.items].sort(), [1, 2, 3]);
        assert.equal((await queue.getJobCounts("failed")).failed, 0);
      });
    });

    test("jobs are found by their state", async () => {
      await withQueue<string>(store(), "states", async (queue, work) => {
        await queue.add("x", "delayed", { delay: 60_000 });
        await queue.add("x", "done");
        await queue.add("x", "held");
        let release = () => {};
        const held = new Promise<void>((resolve) => {
          release = resolve;
        });
        const started = new Seen<string>();
        work<string>("states", async (job) => {
          started.add(job.data);
          if (job.data === "held") await held;
        });
        await started.until(2);
        await queue.add("x", "waiting");
        for (const [state, data] of [
          ["delayed", "delayed"],
          ["completed", "done"],
          ["active", "held"],
          ["waiting", "waiting"],
        ] as const) {
          assert.deepEqual(
            (await queue.getJobs([state])).map((job) => job.data),
            [data],
            state,
          );
        }
        release();
        await started.until(3);
      });
    });
  });
}
