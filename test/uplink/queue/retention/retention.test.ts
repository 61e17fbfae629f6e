/** Retention of a webhook's queue, on both backends: the oldest deliveries are dropped, each counted once. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Job, type JobType, type Queue, UnrecoverableError } from "bullmq";
import pino from "pino";
import { type Message, newId, toStored } from "../../../../src/message.ts";
import { openStore } from "../../../../src/store/open.ts";
import type { Store } from "../../../../src/store/store.ts";
import { DeliveryQueue } from "../../../../src/uplink/queue/delivery-queue.ts";
import { type DeliveryJob, JOB_OPTIONS } from "../../../../src/uplink/queue/job.ts";
import { enqueueAgain } from "../../../../src/uplink/queue/redelivery.ts";
import { discardTooOld } from "../../../../src/uplink/queue/retention/discard.ts";
import { Retention, type RetentionOptions } from "../../../../src/uplink/queue/retention/retention.ts";
import { temporaryDirectory } from "../../../support/directories.ts";
import { startRedis, type TestRedis } from "../../../support/redis.ts";
import { requireOrSkip } from "../../../support/requirements.ts";

const DAY_MS = 24 * 3_600_000;
const log = pino({ level: "silent" });

/** Makes an id of the given age. */
function oldId(agoMs: number): string {
  const hex = (Date.now() - agoMs).toString(16).padStart(12, "0");
  return `msg_${hex.slice(0, 8)}-${hex.slice(8)}${newId("msg").slice(17)}`;
}

const message: Omit<Message, "id"> = { topic: "t", payload: Buffer.from("1"), qos: 1, retain: false, receivedAt: 0 };
const data: DeliveryJob = toStored({ ...message, id: "" });

for (const kind of ["redis", "embedded"] as const) {
  const options = kind === "redis" ? requireOrSkip("redis-server") : { skip: false as const };
  describe(`retention: ${kind}`, options, () => {
    let redis: TestRedis | undefined;
    let store: Store;
    let queue: Queue<DeliveryJob>;
    let names = 0;

    before(async () => {
      redis = kind === "redis" ? await startRedis() : undefined;
      store = await openStore({ storeUrl: redis?.url, dataDir: temporaryDirectory("retention"), log });
    });
    after(async () => {
      await store.close();
      await redis?.stop();
    });

    const withQueue = (run: () => Promise<void>) => async () => {
      queue = store.queues.queue(`r-${names++}`);
      try {
        await run();
      } finally {
        await queue.close();
      }
    };

    async function add(count: number, opts: { delay?: number; id?: () => string } = {}): Promise<string[]> {
      const { delay, id = () => newId("msg") } = opts;
      const ids = Array.from({ length: count }, id);
      await queue.addBulk(
        ids.map((jobId) => ({ name: "message", data, opts: { ...JOB_OPTIONS, jobId, ...(delay && { delay }) } })),
      );
      return ids;
    }

    /** Runs all jobs with the given processor until `until` of them have ended. */
    async function work(process: (job: Job<DeliveryJob>) => Promise<unknown>, until: number): Promise<void> {
      let ended = 0;
      await new Promise<void>((resolve) => {
        const worker = store.queues.worker(queue.name, process as never, { concurrency: 10 });
        const one = () => ++ended === until && resolve(worker.close());
        worker.on("completed", one);
        worker.on("failed", one);
      });
    }

    function retention(changes: Partial<RetentionOptions> = {}) {
      const discarded: Record<string, number> = {};
      let told = () => {};
      const made = new Retention({
        webhooks: () => ["wh_1"],
        queueOf: (id) => (id === "wh_1" ? new DeliveryQueue(queue) : undefined),
        isOrdered: () => false,
        async acquire(id) {
          const [key, holder] = [`${queue.name}-${id}`, newId("req")];
          if (await store.expiringKeys.setIfAbsent(key, holder, 60)) return undefined;
          return () => store.expiringKeys.releaseIf(key, holder);
        },
        discarded(_id, count, reason) {
          discarded[reason] = (discarded[reason] ?? 0) + count;
          told();
        },
        onFailed: (error) => assert.fail(error),
        maxWaiting: 100_000,
        ...changes,
      });
      const until = async (reason: string, count: number) => {
        while ((discarded[reason] ?? 0) < count) await new Promise<void>((resolve) => (told = resolve));
      };
      return { made, discarded, until };
    }
    const newest = (state: JobType, count: number) => queue.getRanges([state], 0, count - 1);
    const waitingIds = () => queue.getRanges(["waiting", "delayed"], 0, -1);

    it(
      "drops the oldest deliveries above the limit, waiting for their first or for another attempt",
      withQueue(async () => {
        const [oldLine, oldDelayed] = [await add(30), await add(30, { delay: 3_600_000 })];
        const [newLine, newDelayed] = [await add(30), await add(30, { delay: 60_000 })];
        const { made, discarded, until } = retention({ maxWaiting: 70 });
        made.changed("wh_1", 120);
        await until("too_many", 50);
        await made.stop();
        assert.deepEqual(discarded, { too_many: 50 });
        const kept = new Set(await waitingIds());
        assert.deepEqual([...kept].sort(), [...oldDelayed.slice(20), ...newLine, ...newDelayed].sort());
        assert.ok(oldLine.every((id) => !kept.has(id)));
      }),
    );

    for (const reason of ["too_many", "too_old"] as const) {
      it(
        `promotes the successors of deliveries that are ${reason}`,
        withQueue(async () => {
          const id = reason === "too_old" ? () => oldId(15 * DAY_MS) : undefined;
          const gone = await add(4, { delay: 3_600_000, ...(id && { id }) });
          const kept = await add(4, { delay: 3_600_000 });
          // The successor is in the job's data or in its progress; the first two deliveries of a group are dropped
          // together.
          const jobs = await Promise.all(gone.map((each) => queue.getJob(each)));
          await jobs[0]!.updateData({ ...data, place: { sequence: 1, next: gone[1]! } });
          await jobs[1]!.updateData({ ...data, place: { sequence: 2, next: kept[0]! } });
          await jobs[2]!.updateProgress({ next: kept[2]! });
          const { made, until } = retention({ isOrdered: () => true, ...(reason === "too_many" && { maxWaiting: 4 }) });
          made.changed("wh_1", 8);
          await made.sweep();
          await until(reason, 4);
          await made.stop();
          assert.deepEqual((await waitingIds()).sort(), [...kept].sort());
          assert.deepEqual((await queue.getRanges(["waiting"], 0, -1)).sort(), [kept[0], kept[2]].sort());
        }),
      );
    }

    it(
      "counts each delivery once although several instances check at the same time",
      withQueue(async () => {
        await add(1_000);
        await add(1_000, { delay: 3_600_000 });
        const several = [1, 2, 3].map(() => retention({ maxWaiting: 500 }));
        for (const { made } of several) made.changed("wh_1", 500);
        while ((await waitingIds()).length > 500) {
          for (const { made } of several) made.changed("wh_1", 500);
          // The embedded store responds within the same turn of the event loop.
          await nextTurn();
        }
        for (const { made } of several) await made.stop();
        const counted = several.reduce((sum, { discarded }) => sum + (discarded.too_many ?? 0), 0);
        assert.equal(counted, 1_500);
        assert.equal((await waitingIds()).length, 500);
      }),
    );

    it(
      "keeps the last succeeded and failed deliveries",
      withQueue(async () => {
        await add(60);
        let n = 0;
        await work(async () => {
          if (n++ % 3 === 0) throw new UnrecoverableError("no");
        }, 60);
        const ended = async (state: JobType) => (await queue.getRanges([state], 0, -1)).sort();
        const [succeeded, failed] = [await newest("completed", 7), await newest("failed", 4)];
        const { made } = retention({ keepSucceeded: 7, keepFailed: 4 });
        made.changed("wh_1", 60);
        await made.sweep();
        await made.stop();
        assert.deepEqual([await ended("completed"), await ended("failed")], [succeeded.sort(), failed.sort()]);
      }),
    );

    it(
      "drops deliveries that wait too long",
      withQueue(async () => {
        await add(3, { id: () => oldId(15 * DAY_MS) });
        await add(2, { id: () => oldId(15 * DAY_MS), delay: 3_600_000 });
        const fresh = [...(await add(2, { id: () => oldId(13 * DAY_MS) })), ...(await add(1, { delay: 3_600_000 }))];
        const { made, discarded, until } = retention({ sweepMs: 10 });
        made.start();
        await until("too_old", 5);
        await made.stop();
        assert.deepEqual(discarded, { too_old: 5 });
        assert.deepEqual((await waitingIds()).sort(), fresh.sort());
      }),
    );

    it(
      "keeps an old delivery that a person has retried",
      withQueue(async () => {
        const [again] = await add(1, { id: () => oldId(16 * DAY_MS) });
        await work(async () => ({ at: new Date().toISOString(), statusCode: 204, error: null, durationMs: 1 }), 1);
        assert.equal(
          await enqueueAgain(new DeliveryQueue(queue), (await queue.getJob(again!))!, "completed", false),
          true,
        );
        const [other] = await add(1, { id: () => oldId(15 * DAY_MS) });
        assert.equal(await discardTooOld(new DeliveryQueue(queue), Date.now() - 14 * DAY_MS, 100, false), 1);
        assert.deepEqual(await waitingIds(), [again]);
        assert.equal(await queue.getJob(other!), undefined);
      }),
    );

    it(
      "costs nothing while there is no activity",
      withQueue(async () => {
        let counted = 0;
        const { made } = retention({
          webhooks: () => Array.from({ length: 1_000 }, (_, i) => `wh_${i}`),
          queueOf: () => void counted++,
          sweepMs: 3_600,
        });
        made.changed("wh_5", 1);
        await made.sweep();
        await made.stop();
        assert.equal(counted, 1 + 1, "the one that changed, and a thousandth of all in a thousandth of the round");
      }),
    );
  });
}
