import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Job, Queue } from "bullmq";
import type { Store } from "../../src/store/store.ts";
import { matcher } from "../../src/topic-index.ts";
import { DeliveryQueue, type JobState, permanentFailure } from "../../src/uplink/queue/delivery-queue.ts";
import type { DeliveryJob, QueuedJob } from "../../src/uplink/queue/job.ts";
import { type FoundDelivery, newestFirst } from "../../src/uplink/queue/lists/newest-first.ts";
import fc from "../support/property.ts";
import type { Subject } from "./store.contract.ts";
import { withQueue } from "./store-queue-tools.ts";

const NAMES = ["deliver-wh_i1", "deliver-wh_i2", "deliver-wh_i3"];
const STATES: JobState[] = ["active", "waiting", "prioritized", "delayed", "failed", "completed"];
const WANTED: (JobState[] | undefined)[] = [undefined, ["waiting", "prioritized"], ...STATES.map((state) => [state])];
/** Topics and filters with the characters that the stores' patterns and JSON escape. */
const TOPICS = ["a", "a/b", "a/b/c", "a/", "/a", "é/[x]*?%.", 'q"/b', "back\\slash/b", "$SYS/b", "a b/b", "receivedAt"];
const FILTERS = ["#", "+/b", "a/#", "a/+", "+", "/+", "é/[x]*?%.", 'q"/#', "back\\slash/+", "$SYS/#", "a b/b", "a/+/c"];
const START = 1_790_000_000_000;

type Listed = Pick<FoundDelivery, "queue" | "at" | "id" | "state"> & { topic: string };

interface Lane {
  queue: DeliveryQueue;
  /** Takes the next job as a worker does. */
  take(): Promise<Job | undefined>;
}

const idOf = (n: number) => `msg_00000000-0000-7000-8000-${String(n).padStart(12, "0")}`;

/** Reads every job. */
async function scan(lanes: readonly Lane[]): Promise<Listed[]> {
  const found: Listed[] = [];
  for (const [i, { queue }] of lanes.entries()) {
    for (const state of STATES) {
      for (const id of await queue.ids(state)) {
        const { receivedAt, topic } = (await queue.get(id))!.data;
        found.push({ queue: NAMES[i]!, at: receivedAt, id, state, topic });
      }
    }
  }
  return found;
}

interface Filter {
  queues: string[];
  states: JobState[] | undefined;
  topic: string | undefined;
  since: number | undefined;
  until: number;
}

function select(all: Listed[], { queues, states, topic, since = 0, until }: Filter): Listed[] {
  const onTopic = topic === undefined ? () => true : matcher([topic]);
  return all.filter(
    (each) =>
      queues.includes(each.queue) &&
      (!states || states.includes(each.state)) &&
      onTopic(each.topic) &&
      each.at >= since &&
      each.at < until,
  );
}

async function readPages(store: Store, filter: Filter, limit: number) {
  const all: FoundDelivery[] = [];
  for (let after: FoundDelivery | undefined; ; ) {
    const { found, next } = await newestFirst(store.deliveryIndex, { ...filter, after, limit });
    assert.ok(found.length <= limit);
    all.push(...found);
    if (!next) return all;
    after = { ...next, state: "waiting" };
  }
}

/** Sorted, since each store has an order of its own for one message in several queues. */
const plain = (of: readonly Omit<Listed, "topic">[]) =>
  of.map(({ queue, at, id, state }) => `${at} ${id} ${queue} ${state}`).sort();

function assertNewestFirst(pages: readonly FoundDelivery[]): void {
  const places = pages.map(({ at, id }) => `${at} ${id}`);
  assert.deepEqual(places, [...places].sort().reverse());
}

/** The members of a stored message come in the order of `toStored`, those of an event in another one. */
const jobData = (at: number, topic: string, payload = "x", isEvent = false): DeliveryJob => ({
  ...(!isEvent && { receivedAt: at }),
  ...{ topic, payload, qos: 1, retain: false, receivedAt: at },
});

/** One step of the life of a delivery. `n` chooses the job. */
type Step = { lane: number; n: number; kind: (typeof KINDS)[number] };
const KINDS = [
  ...["add", "add", "add", "add later", "succeed", "succeed", "fail", "postpone", "take"],
  ...[
    "retry",
    "promote",
    "ahead",
    "remove",
    "drop waiting",
    "clean",
    "drop delayed",
    "leave group",
    "pause",
    "obliterate",
  ],
] as const;

async function perform({ lane, n, kind }: Step, lanes: readonly Lane[], serial: number): Promise<void> {
  const { queue, take } = lanes[lane]!;
  const pick = async (state: JobState): Promise<QueuedJob | undefined> => {
    const ids = await queue.ids(state);
    return ids.length > 0 ? queue.get(ids[n % ids.length]!) : undefined;
  };
  const end = n % 2 === 0 ? "completed" : "failed";
  switch (kind) {
    case "add":
    case "add later": {
      const topic = TOPICS[n % TOPICS.length]!;
      const data = jobData(START + (n % 5), topic, '{"topic":"no","receivedAt":1}', n % 2 === 0);
      // Some ids are those of an earlier message: of another queue, or of this one.
      const id = idOf(n % 3 === 0 ? n % 20 : 1_000 + serial);
      return queue.add([{ id, data, ...(kind === "add later" && { delay: 3_600_000 }) }]);
    }
    case "succeed":
      return void (await (await take())?.moveToCompleted("done", "token", false));
    case "fail":
      return void (await (
        await take()
      )?.moveToFailed(n % 3 === 0 ? new Error("no") : permanentFailure("no"), "token", false));
    case "postpone":
      return void (await (await take())?.moveToDelayed(Date.now() + 3_600_000, "token"));
    case "take":
      return void (await take());
    case "retry": {
      const job = await pick(end);
      return void (job && (await queue.retry(job, end, n % 3 === 0)));
    }
    case "promote":
      return void (await queue.promote((await pick("delayed"))?.id ?? "none"));
    case "ahead": {
      const job = await pick("waiting");
      return void (job && (await queue.moveToFront(job)));
    }
    case "remove":
      return void (await queue.remove((await pick(STATES[n % STATES.length]!))?.id ?? "none"));
    case "drop waiting":
      return void (await queue.removeWaiting(2));
    case "clean":
      return queue.removeEnded(end, 1 + (n % 3));
    case "drop delayed":
      return void (await queue.removeDelayed((await pick("delayed"))?.id ?? "none"));
    case "leave group": {
      const job = await pick("waiting");
      return void (job && (await queue.replaceData(job, { ...job.data, place: { sequence: 1 } })));
    }
    case "pause":
      return queue.pause(1);
    case "obliterate":
      // Rare: it ends a whole story.
      return n % 10 === 0 ? queue.obliterate() : undefined;
  }
}

async function withLanes(store: Store, run: (lanes: Lane[]) => Promise<void>): Promise<void> {
  const lanes: Lane[] = [];
  const open = async (names: string[]): Promise<void> => {
    const [name, ...rest] = names;
    if (name === undefined) return run(lanes);
    await withQueue<DeliveryJob>(store, name, async (queue, work) => {
      const worker = work(name, async () => undefined, {
        autorun: false,
        settings: { backoffStrategy: () => 3_600_000 },
      });
      lanes.push({
        queue: new DeliveryQueue(queue as Queue<DeliveryJob>),
        take: () => worker.getNextJob("token", { block: false }),
      });
      try {
        await open(rest);
      } finally {
        await queue.obliterate({ force: true });
        await store.ledgers.close(name);
      }
    });
  };
  await open(NAMES);
}

export function deliveryIndexContract({ store, other }: Subject): void {
  describe("delivery index", () => {
    test("equals a scan of the jobs, whatever happens to them", async () => {
      const step = fc.record({
        lane: fc.nat(NAMES.length - 1),
        n: fc.nat(200),
        kind: fc.constantFrom(...KINDS),
      });
      const filter = fc.record({
        queues: fc.subarray(NAMES, { minLength: 1 }),
        states: fc.constantFrom(...WANTED),
        topic: fc.option(fc.constantFrom(...FILTERS), { nil: undefined }),
        since: fc.option(fc.integer({ min: START, max: START + 5 }), { nil: undefined }),
        until: fc.constantFrom(Number.POSITIVE_INFINITY, START + 2, START + 4),
      });
      const everything = { queues: NAMES, states: undefined, topic: undefined, since: undefined, until: Infinity };
      await withLanes(store(), async (lanes) => {
        let serial = 0;
        const property = fc.asyncProperty(
          fc.array(step, { minLength: 20, maxLength: 60 }),
          fc.array(filter, { minLength: 8, maxLength: 8 }),
          fc.integer({ min: 1, max: 9 }),
          async (steps, filters, limit) => {
            for (const each of steps) await perform(each, lanes, serial++);
            const all = await scan(lanes);
            for (const each of [everything, ...filters]) {
              const pages = await readPages(other(), each, limit);
              assert.deepEqual(plain(pages), plain(select(all, each)), JSON.stringify(each));
              assertNewestFirst(pages);
            }
            for (const { queue } of lanes) await queue.obliterate();
            assert.deepEqual(await readPages(store(), everything, limit), []);
          },
        );
        await fc.assert(property, { numRuns: 12, endOnFailure: true, includeErrorInReport: true });
      });
    });

    test("finds rare deliveries among thousands, many of the same time", async () => {
      await withLanes(store(), async (lanes) => {
        const isRare = (n: number) => n % 900 === 17;
        for (let from = 0; from < 6_000; from += 500) {
          const jobs = Array.from({ length: 500 }, (_, i) => {
            const n = from + i;
            return { id: idOf(n), data: jobData(START + Math.floor(n / 700), isRare(n) ? "rare/b" : "a/b") };
          });
          for (const [i, { queue }] of lanes.entries()) await queue.add(jobs.filter((_, n) => n % 3 >= i));
        }
        const all = await scan(lanes);
        const everything = { queues: NAMES, states: undefined, topic: undefined, since: undefined, until: Infinity };
        for (const each of [everything, { ...everything, topic: "rare/#", since: START + 2 }]) {
          const pages = await readPages(store(), each, 250);
          assert.deepEqual(plain(pages), plain(select(all, each)));
          assertNewestFirst(pages);
        }
      });
    });

    test("pages neither repeat nor omit a delivery while others arrive", async () => {
      await withLanes(store(), async ([lane, second]) => {
        const add = (n: number, at: number) =>
          Promise.all([lane!, second!].map(({ queue }) => queue.add([{ id: idOf(n), data: jobData(at, "a") }])));
        for (let n = 0; n < 20; n++) await add(n, START + Math.floor(n / 4));
        const seen: string[] = [];
        let after: FoundDelivery | undefined;
        for (let newer = 20; ; newer++) {
          const { found, next } = await newestFirst(store().deliveryIndex, {
            ...{ queues: NAMES, until: Infinity, limit: 7, after },
          });
          seen.push(...found.map(({ queue, id }) => `${queue} ${id}`));
          if (!next) break;
          await add(newer, START + 1_000);
          await lane!.take();
          after = { ...next, state: "waiting" };
        }
        assert.equal(seen.length, 40);
        assert.equal(new Set(seen).size, 40);
      });
    });
  });
}
