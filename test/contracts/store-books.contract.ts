import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { UnrecoverableError } from "bullmq";
import type { Ledger, Store } from "../../src/store/store.ts";
import type { Subject } from "./store.contract.ts";
import { Seen, withQueue } from "./store-queue-tools.ts";

const NONE: Ledger = { enqueued: 0, succeeded: 0, failed: 0, waiting: 0, discarded: 0 };
const jobs = (...ids: string[]) => ids.map((jobId) => ({ name: "m", data: {}, opts: { jobId } }));

/** Returns the change of the total ledger since `before`. */
async function since(store: Store, before: Ledger): Promise<Ledger> {
  const now = await store.ledgers.total();
  return Object.fromEntries(
    Object.entries(now).map(([k, n]) => [k, n - before[k as keyof Ledger]]),
  ) as unknown as Ledger;
}

function sum({ succeeded, failed, waiting, discarded }: Ledger): number {
  return succeeded + failed + waiting + discarded;
}

export function booksContract({ store, other }: Subject): void {
  describe("ledgers", () => {
    test("count a job id once, however often and by whichever instance it is added, alone or in bulk", async () => {
      const before = await store().ledgers.total();
      await withQueue(store(), "deliver-wh_a", async (queue) => {
        assert.deepEqual(await store().ledgers.of("deliver-wh_a"), NONE);
        await queue.add("m", {}, { jobId: "a-1" });
        await queue.add("m", {}, { jobId: "a-1" });
        await queue.addBulk([...jobs("a-1", "a-2"), { name: "m", data: {}, opts: { jobId: "a-3", delay: 60_000 } }]);
        await queue.add("m", {}, { jobId: "a-3", delay: 60_000 });
        await withQueue(other(), "deliver-wh_a", async (theirs) => {
          await Promise.all(
            [queue, theirs].flatMap((each) => [each.addBulk(jobs("a-2", "a-4", "a-5")), each.addBulk(jobs("a-6"))]),
          );
        });
        assert.deepEqual(await store().ledgers.of("deliver-wh_a"), { ...NONE, enqueued: 6, waiting: 6 });
        assert.deepEqual(await since(other(), before), { ...NONE, enqueued: 6, waiting: 6 });
        assert.ok((await other().ledgers.queues()).includes("deliver-wh_a"));
      });
    });

    test("keep ended jobs counted after their removal, and count retried ones as waiting again", async () => {
      await withQueue(store(), "deliver-wh_b", async (queue, work) => {
        const name = "deliver-wh_b";
        const ended = new Seen<string>();
        await queue.addBulk(jobs("b-1", "b-2", "b-3", "b-fail"));
        const worker = work(name, async (job) => {
          if (job.id === "b-fail") throw new UnrecoverableError("no");
        });
        for (const event of ["completed", "failed"] as const)
          worker.on(event, (job: { id?: string } | undefined) => ended.add(job?.id ?? ""));
        await ended.until(4);
        await worker.close();
        assert.deepEqual(await store().ledgers.of(name), { ...NONE, enqueued: 4, succeeded: 3, failed: 1 });

        await (await queue.getJob("b-fail"))!.retry("failed");
        await (await queue.getJob("b-1"))!.retry("completed");
        assert.deepEqual(await store().ledgers.of(name), { ...NONE, enqueued: 4, succeeded: 2, waiting: 2 });
        await queue.remove("b-1");
        assert.deepEqual(await store().ledgers.of(name), {
          ...NONE,
          enqueued: 4,
          succeeded: 2,
          waiting: 1,
          discarded: 1,
        });
        await queue.clean(0, 1, "completed");
        await queue.remove("never there");
        assert.deepEqual(await store().ledgers.of(name), {
          ...NONE,
          enqueued: 4,
          succeeded: 2,
          waiting: 1,
          discarded: 1,
        });

        const again = work(name, async () => {
          throw new UnrecoverableError("no");
        });
        again.on("failed", (job) => ended.add(job?.id ?? ""));
        await ended.until(5);
        await again.close();
        await queue.clean(0, 10, "failed");
        assert.deepEqual(await store().ledgers.of(name), {
          ...NONE,
          enqueued: 4,
          succeeded: 2,
          failed: 1,
          discarded: 1,
        });
        // A free job id counts as a new job.
        await queue.addBulk(jobs("b-fail"));
        assert.deepEqual(await store().ledgers.of(name), {
          ...NONE,
          enqueued: 5,
          succeeded: 2,
          failed: 1,
          waiting: 1,
          discarded: 1,
        });
      });
    });

    test("count dropped jobs as discarded: one by one, in bulk, or with the queue", async () => {
      const before = await store().ledgers.total();
      const name = "deliver-wh_c";
      await withQueue(store(), name, async (queue, work) => {
        const taken = new Seen<string>();
        let end = () => {};
        const called = new Promise<void>((resolve) => (end = resolve));
        await queue.addBulk(jobs("c-1", "c-2", "c-3", "c-4", "c-5"));
        await queue.add("m", {}, { jobId: "c-6", delay: 60_000 });
        await queue.clean(0, 2, "wait");
        assert.equal((await store().ledgers.of(name)).discarded, 2);
        const worker = work(name, async (job) => {
          taken.add(job.id!);
          await called;
        });
        await taken.until(1);
        assert.deepEqual(await store().ledgers.of(name), { ...NONE, enqueued: 6, waiting: 4, discarded: 2 });
        assert.equal(await store().ledgers.close(name), false, "there are jobs in it");
        await queue.obliterate({ force: true, count: 2 });
        assert.deepEqual(await store().ledgers.of(name), { ...NONE, enqueued: 6, discarded: 6 });
        // The active job ends only after the queue is gone.
        const missed = new Promise((resolve) => worker.once("error", resolve));
        end();
        await missed;
        assert.deepEqual(await store().ledgers.of(name), { ...NONE, enqueued: 6, discarded: 6 });
        assert.equal(await store().ledgers.close(name), true);
        assert.equal(await other().ledgers.close(name), true);
        assert.ok(!(await store().ledgers.queues()).includes(name));
        assert.deepEqual(await store().ledgers.of(name), NONE);
        assert.deepEqual(await since(other(), before), { ...NONE, enqueued: 6, discarded: 6 });
      });
    });

    test("do not exist for other queues", async () => {
      const before = await store().ledgers.total();
      await withQueue(store(), "deliver-other", async (queue) => {
        await queue.addBulk(jobs("x-1", "x-2"));
        await queue.obliterate({ force: true });
        assert.deepEqual(await store().ledgers.of("deliver-other"), NONE);
      });
      assert.deepEqual(await since(store(), before), NONE);
    });

    test("balance at every moment while jobs are added, end and are removed", async () => {
      const name = "deliver-wh_d";
      await withQueue(store(), name, async (queue, work) => {
        const ended = new Seen<string>();
        const worker = work(name, async () => {}, { concurrency: 5 });
        worker.on("completed", (job) => ended.add(job.id!));
        let moving = true;
        const watched = (async () => {
          let looks = 0;
          for (; moving; looks++) {
            const [one, all] = await Promise.all([other().ledgers.of(name), other().ledgers.total()]);
            assert.equal(one.enqueued, sum(one));
            assert.equal(all.enqueued, sum(all));
          }
          return looks;
        })();
        for (let i = 0; i < 10; i++) {
          await queue.addBulk(jobs(...Array.from({ length: 10 }, (_, n) => `d-${i}-${n}`)));
          await queue.clean(0, 5, "completed");
        }
        await ended.until(100);
        moving = false;
        assert.ok((await watched) > 1);
        assert.deepEqual(await store().ledgers.of(name), { ...NONE, enqueued: 100, succeeded: 100 });
      });
    });
  });
}
