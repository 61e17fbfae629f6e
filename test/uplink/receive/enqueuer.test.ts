import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Message, newId } from "../../../src/message.ts";
import { Enqueuer, type EnqueuerOptions } from "../../../src/uplink/receive/enqueuer.ts";

function message(payload: string): Message {
  return { id: newId("msg"), topic: "t", payload: Buffer.from(payload), qos: 1, retain: false, receivedAt: Date.now() };
}

const NO_BIRTHS = { note: () => {}, written: () => undefined };

type AddJobs = EnqueuerOptions["deliveries"]["add"];

function makeEnqueuer(
  addJobs: AddJobs,
  exists: (id: string) => boolean = () => true,
  mayWrite: () => boolean = () => true,
  births: EnqueuerOptions["births"] = NO_BIRTHS,
) {
  const failures: Error[] = [];
  const booked: number[] = [];
  const failing = { book: 0 };
  const enqueuer = new Enqueuer({
    deliveries: { add: addJobs },
    ledger: {
      async enqueued(count) {
        if (failing.book-- > 0) throw new Error("store away");
        booked.push(count);
      },
    },
    destinations: { has: exists },
    births,
    lease: { confirm: async () => mayWrite() },
    observe: { flushed: () => {}, partFailed: (_part, error) => failures.push(error) },
  });
  const add = (text: string, webhooks = ["wh_1"]) =>
    new Promise<void>((resolve) => enqueuer.add(message(text), webhooks, resolve));
  return { enqueuer, add, failures, booked, failing };
}

/** Store whose responses the test controls. */
function heldStore() {
  const calls: { webhookId: string; payloads: string[]; answer: (error?: Error) => void }[] = [];
  let wake: (() => void) | undefined;
  const addJobs: AddJobs = (webhookId, jobs) =>
    new Promise((resolve, reject) => {
      const payloads = jobs.map(({ data }) => data.payload ?? "");
      calls.push({ webhookId, payloads, answer: (error) => (error ? reject(error) : resolve()) });
      wake?.();
    });
  const until = async (count: number) => {
    while (calls.length < count) await new Promise<void>((resolve) => (wake = resolve));
  };
  return { calls, addJobs, until };
}

describe("micro-batches", () => {
  it("collect during two flushes in progress, and acknowledge only durable messages", async () => {
    const store = heldStore();
    const { add } = makeEnqueuer(store.addJobs);
    const done: string[] = [];
    const send = (text: string) => add(text).then(() => done.push(text));
    const first = [send("1"), send("2")];
    await store.until(1);
    const second = [send("3")];
    await store.until(2);
    const third = [send("4"), send("5")];
    assert.deepEqual(
      store.calls.map(({ payloads }) => payloads),
      [["1", "2"], ["3"]],
    );
    assert.deepEqual(done, []);
    store.calls[0]!.answer();
    await Promise.all(first);
    assert.deepEqual(done, ["1", "2"]);
    await store.until(3);
    assert.deepEqual(store.calls[2]!.payloads, ["4", "5"]);
    store.calls[1]!.answer();
    store.calls[2]!.answer();
    await Promise.all([...second, ...third]);
  });

  it("contain at most 100 messages", async () => {
    const sizes: number[] = [];
    const { add } = makeEnqueuer(async (_id, jobs) => void sizes.push(jobs.length));
    await Promise.all(Array.from({ length: 1_200 }, (_, i) => add(String(i))));
    assert.deepEqual(sizes, Array(12).fill(100));
  });

  it("are retried with the same ids, and only for the webhooks that failed", async () => {
    const seen: string[] = [];
    let fail = 2;
    const { add, failures } = makeEnqueuer(async (webhookId, jobs) => {
      seen.push(`${webhookId} ${jobs[0]!.id}`);
      if (webhookId === "wh_2" && fail-- > 0) throw new Error("store away");
    });
    await add("x", ["wh_1", "wh_2"]);
    const [one, ...two] = seen;
    assert.match(one!, /^wh_1 /);
    assert.equal(two.length, 3);
    assert.equal(new Set(two).size, 1);
    assert.equal(failures.length, 2);
  });

  it("count each message once in the ledger, before it is acknowledged, whatever else fails", async () => {
    let fail = 2;
    const { add, booked } = makeEnqueuer(async () => {
      if (fail-- > 0) throw new Error("store away");
    });
    await Promise.all([add("x", ["wh_1", "wh_2"]), add("y")]);
    assert.deepEqual(booked, [2]);
  });

  it("acknowledge nothing before it is in the ledger", async () => {
    let adds = 0;
    const { add, booked, failing, failures } = makeEnqueuer(async () => void adds++);
    failing.book = 2;
    await add("x");
    assert.deepEqual([adds, booked, failures.length], [1, [1], 2]);
  });

  it("are not written for a removed webhook", async () => {
    const seen: string[] = [];
    const { add } = makeEnqueuer(
      async (webhookId) => void seen.push(webhookId),
      (id) => id !== "wh_gone",
    );
    await add("x", ["wh_gone", "wh_1"]);
    assert.deepEqual(seen, ["wh_1"]);
  });

  it("are not written while another instance may receive, and never after a stop", async () => {
    const seen: string[] = [];
    let mayWrite = false;
    const { add, enqueuer } = makeEnqueuer(
      async (_id, jobs) => void seen.push(...jobs.map(({ data }) => data.payload!)),
      undefined,
      () => mayWrite,
    );
    const held = add("held");
    await new Promise((resolve) => setTimeout(resolve, 100)); // after the first attempt
    assert.deepEqual(seen, []);
    mayWrite = true;
    await held;
    assert.deepEqual(seen, ["held"]);
    mayWrite = false;
    void add("dropped");
    await new Promise((resolve) => setTimeout(resolve, 10));
    enqueuer.stop();
    mayWrite = true;
    await new Promise((resolve) => setTimeout(resolve, 200)); // longer than the retry delay
    assert.deepEqual(seen, ["held"]);
  });

  it("wait at the end for the flush in progress, acknowledge it, and start no other", async () => {
    const store = heldStore();
    const { add, enqueuer } = makeEnqueuer(store.addJobs);
    const done: string[] = [];
    const send = (text: string) => add(text).then(() => done.push(text));
    void send("1");
    await store.until(1);
    void send("2");
    await store.until(2);
    void send("3");
    const finished = enqueuer.finish().then(() => done.push("finished"));
    store.calls[1]!.answer();
    store.calls[0]!.answer();
    await finished;
    assert.deepEqual(done.sort(), ["1", "2", "finished"]);
    assert.equal(store.calls.length, 2);
  });

  it("do not wait at the end for a store that does not respond", async () => {
    const store = heldStore();
    const { add, enqueuer } = makeEnqueuer(store.addJobs);
    void add("1");
    await store.until(1);
    await enqueuer.finish();
    assert.equal(store.calls.length, 1);
  });

  it("report the age of the oldest flush", async () => {
    const store = heldStore();
    const { add, enqueuer } = makeEnqueuer(store.addJobs);
    assert.equal(enqueuer.oldestFlushMs, 0);
    const sent = add("x");
    await store.until(1);
    const start = Date.now();
    while (Date.now() - start < 5); // the millisecond clock must advance
    assert.ok(enqueuer.oldestFlushMs >= 4);
    store.calls[0]!.answer();
    await sent;
    assert.equal(enqueuer.oldestFlushMs, 0);
  });

  it("adds no delivery before the noted BIRTHs are durable, and retries until they are", async () => {
    const order: string[] = [];
    let failures = 1;
    const births: EnqueuerOptions["births"] = {
      note: ({ payload }, webhookIds) => order.push(`note ${payload} ${webhookIds}`),
      written: async () => {
        order.push("written");
        if (failures-- > 0) throw new Error("store away");
      },
    };
    const addJobs: AddJobs = async () => void order.push("add");
    const { add, failures: reported } = makeEnqueuer(addJobs, undefined, undefined, births);
    await add("birth");
    assert.deepEqual(order, ["note birth wh_1", "written", "written", "add"]);
    assert.deepEqual(
      reported.map(({ message }) => message),
      ["store away"],
    );
  });
});
