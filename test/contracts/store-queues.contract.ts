import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { scaled } from "../support/speed.ts";
import type { Subject } from "./store.contract.ts";
import { Seen, withQueue } from "./store-queue-tools.ts";

export function queuesContract({ store }: Subject): void {
  describe("queues", () => {
    test("a job is processed and its result is kept", async () => {
      await withQueue<{ n: number }>(store(), "process", async (queue, work) => {
        const done = new Seen<unknown>();
        work<{ n: number }, number>("process", async (job) => job.data.n * 2).on("completed", (job, result) =>
          done.add([job.id, result]),
        );
        await queue.add("x", { n: 21 }, { jobId: "m-1" });
        assert.deepEqual(await done.until(1), [["m-1", 42]]);
        assert.equal(await (await queue.getJob("m-1"))?.getState(), "completed");
        assert.equal((await queue.getJob("m-1"))?.returnvalue, 42);
      });
    });

    test("500 jobs added at once are each processed once", async () => {
      await withQueue<number>(store(), "bulk", async (queue, work) => {
        const done = new Seen<number>();
        work<number>("bulk", async (job) => done.add(job.data), { concurrency: 20 });
        await queue.addBulk(
          Array.from({ length: 500 }, (_, i) => ({
            name: "x",
            data: i,
            opts: { jobId: `b-${i}`, removeOnComplete: true },
          })),
        );
        const seen = await done.until(500);
        assert.equal(new Set(seen).size, 500);
        assert.equal(seen.length, 500);
      });
    });

    test("adding a job id again is harmless, alone and in bulk, waiting and completed", async () => {
      await withQueue<string>(store(), "twice", async (queue, work) => {
        await queue.add("x", "first", { jobId: "m-1" });
        await queue.add("x", "second", { jobId: "m-1" });
        await queue.addBulk([
          { name: "x", data: "third", opts: { jobId: "m-1" } },
          { name: "x", data: "other", opts: { jobId: "m-2" } },
        ]);
        const done = new Seen<string>();
        work<string>("twice", async (job) => done.add(job.data));
        assert.deepEqual(await done.until(2), ["first", "other"]);
        await queue.add("x", "again", { jobId: "m-1" });
        await queue.add("x", "last", { jobId: "m-3" });
        assert.deepEqual(await done.until(3), ["first", "other", "last"]);
      });
    });

    test("data arrives as it was sent", async () => {
      await withQueue<unknown>(store(), "data", async (queue, work) => {
        const data = {
          text: "\u2028\u2029 😀 \ud83d\udc69\u200d\ud83d\ude80 \"quoted\" \\back 'single' $1 -- ;",
          escaped: "\\u2028 \\u0000 \\n",
          payload: Buffer.from(Array.from({ length: 256 * 1024 }, (_, i) => i % 251)).toString("base64"),
          numbers: [0, -1.5, 2 ** 53 - 1, 1e21],
          empty: [[], {}, "", null, false],
        };
        const got = new Seen<unknown>();
        work("data", async (job) => got.add(job.data));
        await queue.add("single", data);
        await queue.addBulk([{ name: "bulk", data }]);
        assert.deepEqual(await got.until(2), [data, data]);
        assert.deepEqual((await queue.getJobs(["completed"]))[0]?.data, data);
      });
    });

    test("an idle worker starts a job within 50 ms, and a delayed one when it is due", async () => {
      await withQueue<number>(store(), "wake", async (queue, work) => {
        const got = new Seen<number>();
        await work<number>("wake", async () => got.add(performance.now())).waitUntilReady();
        const latencies: number[] = [];
        for (let i = 0; i < 21; i += 1) {
          const at = performance.now();
          await queue.add("x", i);
          latencies.push((await got.until(i + 1))[i]! - at);
          // Awaited so that the worker is idle again; its own round trips remain in the measured time.
          await queue.getJobCounts();
        }
        latencies.sort((a, b) => a - b);
        const p50 = latencies[10]!;
        process.stderr.write(
          `# ${store().kind}: wake-up p50 ${p50.toFixed(1)} ms, max ${latencies[20]!.toFixed(1)} ms\n`,
        );
        assert.ok(p50 < 50, `p50 is ${p50} ms`);

        const at = performance.now();
        await queue.add("later", 0, { delay: 300 });
        const late = (await got.until(22))[21]! - at;
        assert.ok(late >= 290 && late < scaled(1_500), `a job delayed by 300 ms ran after ${late} ms`);
      });
    });

    test("closing one queue and worker does not affect the others or the store", async () => {
      await withQueue<number>(store(), "stays", async (queue, work) => {
        const got = new Seen<number>();
        work<number>("stays", async (job) => got.add(job.data));
        await withQueue<number>(store(), "goes", async (gone, alsoWork) => {
          const gotToo = new Seen<number>();
          alsoWork<number>("goes", async (job) => gotToo.add(job.data));
          await gone.add("x", 1);
          await gotToo.until(1);
        });
        await store().ping();
        await queue.add("x", 7);
        assert.deepEqual(await got.until(1), [7]);
      });
    });
  });
}
