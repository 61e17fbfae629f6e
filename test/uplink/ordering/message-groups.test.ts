/** Message groups: places, and groups that are extended through failures and crashes. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { GroupAppender, type NewJob } from "../../../src/uplink/ordering/group-append.ts";
import {
  groupTailKey,
  isEnd,
  places,
  postponeMs,
  sequenceText,
  shortPostponeMs,
} from "../../../src/uplink/ordering/message-groups.ts";
import type { Place, PlacedJob } from "../../../src/uplink/queue/job.ts";
import fc from "../../support/property.ts";

const job = (id: number, topic: string): NewJob => ({
  id: `msg_${id}`,
  data: { topic, payload: "", qos: 1, retain: false, receivedAt: 0 },
});

/** Walks a group back from `last` and returns its deliveries, starting with the first one. */
function walkBack(last: string, placeOf: (id: string) => Place | undefined): string[] {
  const ids = [last];
  for (let at = placeOf(last)?.previous; at !== undefined; at = placeOf(at)?.previous) {
    assert.ok(!ids.includes(at), "no delivery waits for itself");
    ids.unshift(at);
  }
  return ids;
}

describe("places", () => {
  it("make one message group a chain, in the order of the jobs, after its existing tail", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 40 }),
        fc.dictionary(fc.constantFrom("a", "b", "c"), fc.constant("msg_old")),
        fc.nat(1_000),
        (topics, before, counted) => {
          const jobs = topics.map((topic, i) => job(i, topic));
          const found = places(jobs, (topic) => topic, new Map(Object.entries(before)), counted + jobs.length);
          for (const topic of new Set(topics)) {
            const ids = jobs.filter(({ data }) => data.topic === topic).map(({ id }) => id);
            const old = before[topic] === undefined ? [] : [before[topic]];
            assert.deepEqual(
              walkBack(ids.at(-1)!, (id) => found.get(id)),
              [...old, ...ids],
            );
            for (const [i, id] of ids.entries()) assert.equal(found.get(id)!.next, ids[i + 1]);
            assert.deepEqual(
              ids.map((id) => found.get(id)!.tail !== undefined),
              ids.map((_, i) => i === ids.length - 1),
            );
          }
          assert.deepEqual(
            jobs.map(({ id }) => found.get(id)!.sequence),
            jobs.map((_, i) => counted + 1 + i),
          );
        },
      ),
    );
  });

  it("have sequences that sort as text", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
        assert.equal(a < b, sequenceText(a) < sequenceText(b));
      }),
    );
  });

  it("are in one group for all topics, or in one per topic", () => {
    assert.equal(groupTailKey("wh_1", "strict", "a"), groupTailKey("wh_1", "strict", "b"));
    assert.notEqual(groupTailKey("wh_1", "topic", "a"), groupTailKey("wh_1", "topic", "b"));
    assert.notEqual(groupTailKey("wh_1", "topic", "a"), groupTailKey("wh_2", "topic", "a"));
    assert.ok(groupTailKey("wh_1", "topic", "x".repeat(65_535)).length < 100);
  });
});

describe("postponing", () => {
  it("lasts from ten minutes to a day for a job that is promoted, and at most five seconds for one that is not", () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (looks, random) => {
        const ms = postponeMs(looks, () => random);
        assert.ok(ms >= 600_000 && ms <= 86_400_000, `${ms}`);
        assert.ok(shortPostponeMs(looks) >= 250 && shortPostponeMs(looks) <= 5_000);
      }),
    );
  });

  it("ends with a predecessor that succeeded, failed or is gone", () => {
    const states = ["completed", "failed", "gone", "active", "waiting", "delayed", "prioritized"] as const;
    assert.deepEqual(states.filter(isEnd), ["completed", "failed", "gone"]);
  });
});

/** Durable store, used by bridges that fail and die. */
class FakeStore {
  readonly jobs = new Map<string, PlacedJob>();
  readonly tails = new Map<string, string>();
  readonly added: string[] = [];
  /** Fault of each step: before its effect, after it, or none. */
  faults: ("before" | "after" | "none")[] = [];
  #numbers = 0;

  adder(ordering: () => "none" | "topic" | "strict" = () => "topic"): GroupAppender {
    const step = async <T>(act: () => T): Promise<T> => {
      const fault = this.faults.shift();
      if (fault === "before") throw new Error("away");
      const result = act();
      if (fault === "after") throw new Error("answer lost");
      return result;
    };
    return new GroupAppender({
      webhooks: { get: () => ({ ordering: ordering() }) },
      queues: {
        add: (_webhook, jobs) =>
          step(() => {
            for (const each of jobs) {
              if (this.jobs.has(each.id)) continue;
              this.jobs.set(each.id, each);
              this.added.push(each.id);
            }
          }),
        count: (_webhook, deliveries) => step(() => (this.#numbers += deliveries)),
        isThere: (_webhook, id) => step(() => this.jobs.has(id)),
      },
      tails: {
        setIfAbsent: (key, value) =>
          step(() => {
            const found = this.tails.get(key);
            if (found === undefined) this.tails.set(key, value);
            return found;
          }),
        put: (key, value) => step(() => void this.tails.set(key, value)),
      },
    });
  }

  placeOf = (id: string) => this.jobs.get(id)?.data.place;
}

describe("appending to message groups", () => {
  const fault = fc.constantFrom<"before" | "after" | "none">("before", "after", "none", "none", "none");

  it("keeps each group one chain through failures and crashes at any step, two batches at a time", async () => {
    const batch = fc.record({
      topics: fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 4 }),
      faults: fc.array(fault, { maxLength: 8 }),
      crashes: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 8 }), async (batches) => {
        const store = new FakeStore();
        let adder = store.adder();
        let id = 0;
        for (const { topics, faults, crashes } of batches) {
          const jobs = () => topics.map((topic) => job(id++, topic));
          const [first, second] = [jobs(), jobs()];
          store.faults = [...faults];
          const tryBoth = () => Promise.allSettled([first, second].map((each) => add(adder, each)));
          if (crashes) {
            void tryBoth();
            // Steps take microtasks; the remaining ones never happen.
            for (let i = 0; i < faults.length; i++) await Promise.resolve();
            store.faults = Array(1_000).fill("before");
            await new Promise(setImmediate);
            store.faults = [];
            adder = store.adder();
            // The broker sends the messages again.
            await add(adder, jobs());
          } else await tryBoth();
        }
        for (const topic of ["a", "b"]) {
          const ids = store.added.filter((each) => store.jobs.get(each)!.data.topic === topic);
          if (ids.length > 0) assert.deepEqual(walkBack(ids.at(-1)!, store.placeOf), ids);
        }
      }),
    );
  });

  async function add(adder: GroupAppender, jobs: NewJob[]): Promise<void> {
    for (let i = 0; i < 30; i++) {
      try {
        return await adder.add("wh_1", jobs);
      } catch {
        await Promise.resolve();
      }
    }
  }

  it("postpones only the successors of jobs in the same batch", async () => {
    const store = new FakeStore();
    await add(store.adder(), [job(1, "a"), job(2, "b"), job(3, "a")]);
    await add(store.adder(), [job(4, "a")]);
    const postponed = [...store.jobs.values()].filter(({ delay }) => delay !== undefined);
    assert.deepEqual(
      postponed.map(({ id }) => id),
      ["msg_3"],
    );
    assert.equal(store.placeOf("msg_4")?.previous, "msg_3");
  });

  it("assigns no place once the webhook has no ordering", async () => {
    const store = new FakeStore();
    let ordering: "topic" | "none" = "topic";
    const adder = store.adder(() => ordering);
    const first = [job(1, "a")];
    store.faults = ["before"];
    await assert.rejects(adder.add("wh_1", first));
    assert.ok(adder.isAdding("wh_1"));
    ordering = "none";
    await adder.add("wh_1", first);
    assert.equal(store.placeOf("msg_1"), undefined);
    assert.ok(!adder.isAdding("wh_1"));
  });

  it("drops waiting appends when the webhook is removed", async () => {
    const store = new FakeStore();
    const adder = store.adder();
    store.faults = ["before"];
    await assert.rejects(adder.add("wh_1", [job(1, "a")]));
    const second = adder.add("wh_1", [job(2, "a")]);
    adder.forget("wh_1");
    await second;
    assert.ok(!adder.isAdding("wh_1"));
    assert.equal(store.jobs.size, 0);
  });
});
