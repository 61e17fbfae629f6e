/** Order of pulled deliveries: when one is handed out, and what its end does. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { afterEnd, passes, promoteSuccessors } from "../../../src/uplink/pull/order.ts";
import type { JobState } from "../../../src/uplink/queue/delivery-queue.ts";
import type { Place, QueuedJob } from "../../../src/uplink/queue/job.ts";
import { DEFAULTS, type Webhook } from "../../../src/webhooks/webhook.ts";

const webhook = { ...DEFAULTS, id: "wh_1", ordering: "topic" } as unknown as Webhook;
const jobOf = (place?: Place, progress: unknown = 0) =>
  ({ id: "b", data: { place }, progress, attemptsStarted: 1 }) as unknown as QueuedJob;

/** A queue whose predecessor is in these states, one for each time it is read. */
function queueOf(states: (JobState | "gone")[], isFound = true, found?: QueuedJob) {
  const steps: string[] = [];
  const postponed: number[] = [];
  const queue = {
    stateOf: async () => states.shift()!,
    recordSuccessor: async (id: string, next: string) => steps.push(`record ${next} in ${id}`) > 0 && isFound,
    promote: async (id: string) => steps.push(`promote ${id}`) > 0,
    get: async () => found,
    leases: { postpone: async (_job: QueuedJob, _token: string, ms: number) => postponed.push(ms) > 0 },
  };
  return { queue, steps, postponed };
}

describe("a taken delivery of an ordered webhook", () => {
  const place = { sequence: 2, previous: "a" };

  for (const state of ["completed", "failed", "gone"] as const) {
    it(`passes when its predecessor is ${state}`, async () => {
      const { queue, steps } = queueOf([state]);
      assert.equal(await passes(webhook, queue, jobOf(place), "t"), true);
      assert.deepEqual(steps, []);
    });
  }

  it("passes without a predecessor, and when the webhook is no longer ordered", async () => {
    const { queue } = queueOf([]);
    assert.equal(await passes(webhook, queue, jobOf({ sequence: 1 }), "t"), true);
    assert.equal(await passes({ ...webhook, ordering: "none" }, queue, jobOf(place), "t"), true);
  });

  it("passes when its predecessor ends while its id is recorded there", async () => {
    const { queue, steps, postponed } = queueOf(["active", "completed"]);
    assert.equal(await passes(webhook, queue, jobOf(place), "t"), true);
    assert.deepEqual([steps, postponed], [["record b in a"], []]);
  });

  for (const { title, state, isFound, isLong } of [
    {
      title: "for long when its predecessor waits, which will promote it",
      state: "delayed",
      isFound: true,
      isLong: true,
    },
    {
      title: "shortly when its predecessor is leased, which may not find it",
      state: "active",
      isFound: true,
      isLong: false,
    },
    { title: "shortly when its id could not be recorded", state: "waiting", isFound: false, isLong: false },
  ] as const) {
    it(`is postponed ${title}`, async () => {
      const { queue, postponed } = queueOf([state, state], isFound);
      assert.equal(await passes(webhook, queue, jobOf(place), "t"), false);
      assert.equal(postponed[0]! > 60_000, isLong);
    });
  }
});

describe("the end of a delivery", () => {
  it("promotes the successor known from the start and the one recorded later", async () => {
    const { queue, steps } = queueOf([]);
    await promoteSuccessors(queue, jobOf({ sequence: 1, next: "c" }, { next: "d" }));
    assert.deepEqual(steps, ["promote c", "promote d"]);
  });

  it("promotes a successor recorded meanwhile, and releases the group tail", async () => {
    const tail = { key: "k", value: "b" };
    const { queue, steps } = queueOf([], true, jobOf({ sequence: 1, tail }, { next: "d" }));
    await afterEnd(queue, jobOf({ sequence: 1, tail }), async ({ key }) => void steps.push(`release ${key}`));
    assert.deepEqual(steps, ["promote d", "release k"]);
  });

  it("never rejects: the end is stored", async () => {
    const { queue } = queueOf([]);
    const failing = { ...queue, get: () => Promise.reject(new Error("the store is away")) };
    await afterEnd(failing, jobOf({ sequence: 1 }), async () => {});
  });
});
