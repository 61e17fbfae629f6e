/** Subscriptions follow the registrations by their difference, without losing messages during a change. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { QoS } from "../../../src/message.ts";
import type { Assignment } from "../../../src/uplink/receive/reconciliation/session-plan.ts";
import type { Session, SessionCallbacks } from "../../../src/uplink/receive/session.ts";
import { type AssignmentRecords, Subscriptions } from "../../../src/uplink/receive/subscriptions.ts";

/** Session whose broker responds when the test says so. */
class FakeSession implements Session {
  wanted = new Map<string, number>();
  granted = new Map<string, number>();
  left: string[] = [];
  settled = false;
  connected = true;

  constructor(readonly callbacks: SessionCallbacks) {}

  want(subscriptions: { filter: string; qos: QoS; id: number }[]): void {
    this.wanted = new Map(subscriptions.map(({ filter, id }) => [filter, id]));
    this.settled = [...this.wanted.keys()].every((filter) => this.granted.has(filter));
    if (this.settled) this.callbacks.onSettled();
  }

  leave(filters: string[]): void {
    this.left.push(...filters);
  }

  grant(): void {
    for (const [filter, id] of this.wanted) this.granted.set(filter, id);
    this.settled = true;
    this.callbacks.onSettled();
  }

  confirmLeft(): void {
    for (const filter of this.left.splice(0)) {
      this.granted.delete(filter);
      this.callbacks.onUnsubscribed(filter);
    }
  }

  async drain(): Promise<void> {}

  async close(): Promise<void> {}
}

/** @param gate awaited by each write */
function memoryRecords(
  log: string[],
  initial: [string, Assignment][] = [],
  gate = () => Promise.resolve(),
): AssignmentRecords {
  const records = new Map(initial.map(([id, value]) => [id, { id, value, version: 1 }]));
  return {
    all: async () => [...records.values()],
    async create(id, value) {
      await gate();
      log.push(`create ${id}`);
      records.set(id, { id, value, version: 1 });
      return true;
    },
    async replace(id, value, version) {
      await gate();
      log.push(`replace ${id}`);
      records.set(id, { id, value, version: version + 1 });
      return true;
    },
    async remove(id) {
      log.push(`remove ${id}`);
      return records.delete(id);
    },
  };
}

function latch() {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

const turns = async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};

async function setup(topics: Record<string, string[]>, initial: [string, Assignment][] = []) {
  const log: string[] = [];
  const store = { gate: () => Promise.resolve() };
  const subscriptions = new Subscriptions<FakeSession>({
    webhooks: () => Object.entries(topics).map(([id, filters]) => ({ id, topics: filters, qos: 1 as const })),
    records: memoryRecords(log, initial, () => store.gate()),
    openSession: (callbacks) => new FakeSession(callbacks),
    onError: (error) => {
      throw error;
    },
  });
  await subscriptions.start();
  const change = () => {
    subscriptions.refresh();
    return turns();
  };
  return { subscriptions, log, change, store };
}

describe("subscriptions", () => {
  it("route messages that waited at the broker before any filter is subscribed again", async () => {
    const { subscriptions } = await setup({ wh_1: ["a/#"] }, [["a/#", { session: 0, id: 5 }]]);
    assert.deepEqual(subscriptions.route("a/b", { session: 0, ids: [5] }), ["wh_1"]);
  });

  it("open the sessions of an earlier run at once", async () => {
    const { subscriptions } = await setup({ wh_1: ["a/#"] }, [["a/#", { session: 2, id: 5 }]]);
    assert.equal(subscriptions.sessions.length, 3);
  });

  it("store an assignment before the filter is subscribed", async () => {
    const { subscriptions, log } = await setup({ wh_1: ["a"] });
    const [session] = subscriptions.sessions;
    assert.equal(session!.wanted.size, 0);
    session!.callbacks.onConnect(true);
    await turns();
    assert.deepEqual(log, ["create a"]);
    assert.deepEqual([...session!.wanted], [["a", 1]]);
    assert.equal(subscriptions.isSynchronized, false);
    session!.grant();
    assert.equal(subscriptions.isSynchronized, true);
  });

  it("keep a webhook's old filters until its new ones are granted, and then unsubscribe them", async () => {
    const topics: Record<string, string[]> = { wh_1: ["a/+"] };
    const { subscriptions, log, change } = await setup(topics);
    const [session] = subscriptions.sessions;
    session!.callbacks.onConnect(true);
    await turns();
    session!.grant();

    topics.wh_1 = ["a/#"];
    await change();
    assert.deepEqual(subscriptions.route("a/b", { session: 0, ids: [1] }), ["wh_1"], "the old copy counts");
    assert.equal(subscriptions.route("a/b", { session: 0, ids: [2] }), undefined, "and not the new one as well");
    assert.deepEqual(session!.left, []);

    session!.grant();
    assert.deepEqual(subscriptions.route("a/b", { session: 0, ids: [2] }), ["wh_1"]);
    assert.equal(subscriptions.route("a/b", { session: 0, ids: [1] }), undefined);
    assert.deepEqual(session!.left, ["a/+"]);
    session!.confirmLeft();
    await turns();
    assert.deepEqual(log, ["create a/+", "create a/#", "remove a/+"], "struck out only after the broker's word");
  });

  it("unsubscribe filters left at the broker by the registrations of an earlier run", async () => {
    const { subscriptions, log } = await setup({ wh_1: ["a"] }, [["gone", { session: 0, id: 9 }]]);
    const [session] = subscriptions.sessions;
    session!.callbacks.onConnect(true);
    await turns();
    assert.deepEqual([...session!.wanted], [["a", 10]]);
    session!.grant();
    assert.deepEqual(session!.left, ["gone"]);
    session!.confirmLeft();
    await turns();
    assert.deepEqual(log, ["create a", "remove gone"]);
  });

  it("spread overlapping filters over sessions where copies cannot be told apart", async () => {
    const { subscriptions } = await setup({ wh_1: ["a/#", "a/b"] });
    subscriptions.sessions[0]!.callbacks.onConnect(false);
    await turns();
    assert.deepEqual(
      subscriptions.sessions.map(({ wanted }) => [...wanted.keys()]),
      [["a/#"], ["a/b"]],
    );
  });

  it("never reuse an identifier", async () => {
    const topics: Record<string, string[]> = { wh_1: ["a"] };
    const { subscriptions, change } = await setup(topics);
    const [session] = subscriptions.sessions;
    session!.callbacks.onConnect(true);
    await turns();
    for (const [filter, id] of [
      ["b", 2],
      ["c", 3],
    ] as const) {
      session!.grant();
      topics.wh_1 = [filter];
      await change();
      assert.equal(session!.wanted.get(filter), id);
      session!.grant();
      session!.confirmLeft();
      await turns();
    }
  });

  it("place a webhook's new filter into the session of the replaced one where copies cannot be told apart", async () => {
    const topics: Record<string, string[]> = { wh_1: ["a/+"] };
    const { subscriptions, change } = await setup(topics);
    subscriptions.sessions[0]!.callbacks.onConnect(false);
    await turns();
    subscriptions.sessions[0]!.grant();
    topics.wh_1 = ["a/#"];
    await change();
    assert.deepEqual(
      subscriptions.sessions.map(({ wanted }) => [...wanted.keys()]),
      [["a/#"]],
    );
    assert.deepEqual(subscriptions.route("a/b", { session: 0 }), ["wh_1"]);
    subscriptions.sessions[0]!.grant();
    assert.deepEqual(subscriptions.route("a/b", { session: 0 }), ["wh_1"]);
    assert.deepEqual(subscriptions.sessions[0]!.left, ["a/+"]);
    await change();
    assert.equal(subscriptions.sessions.length, 1, "it stays there while the broker still has the old one");
    subscriptions.sessions[0]!.confirmLeft();
    assert.deepEqual(subscriptions.route("a/b", { session: 0 }), ["wh_1"], "also what was sent before");
  });

  it("keep a filter apart from another webhook's filter that is not unsubscribed yet", async () => {
    const topics: Record<string, string[]> = { wh_1: ["a/+"], wh_2: ["b"] };
    const { subscriptions, change } = await setup(topics);
    subscriptions.sessions[0]!.callbacks.onConnect(false);
    await turns();
    subscriptions.sessions[0]!.grant();
    delete topics.wh_1;
    topics.wh_2 = ["a/#"];
    await change();
    assert.deepEqual(
      subscriptions.sessions.map(({ wanted }) => [...wanted.keys()]),
      [[], ["a/#"]],
    );
  });

  it("count an old filter in another session until the broker has confirmed its end", async () => {
    // Webhook 2 keeps the new filter out of the session of the old one.
    const topics: Record<string, string[]> = { wh_1: ["a/+"], wh_2: ["b/c"] };
    const { subscriptions, change } = await setup(topics);
    subscriptions.sessions[0]!.callbacks.onConnect(false);
    await turns();
    subscriptions.sessions[0]!.grant();
    topics.wh_1 = ["#"];
    await change();
    assert.deepEqual(
      subscriptions.sessions.map(({ wanted }) => [...wanted.keys()]),
      [["b/c"], ["#"]],
    );
    for (const session of subscriptions.sessions) session.grant();
    assert.deepEqual(subscriptions.route("a/b", { session: 1 }), ["wh_1"]);
    assert.deepEqual(subscriptions.route("a/b", { session: 0 }), ["wh_1"], "it may have been sent before");
    subscriptions.sessions[0]!.confirmLeft();
    assert.equal(subscriptions.route("a/b", { session: 0 }), undefined);
  });

  it("report when they are synchronized, and stop waiting in time", async () => {
    const { subscriptions } = await setup({ wh_1: ["a"] });
    const [session] = subscriptions.sessions;
    session!.callbacks.onConnect(true);
    await turns();
    assert.equal(await subscriptions.untilSynchronized(5), false);
    const isSynchronized = subscriptions.untilSynchronized(5_000);
    session!.grant();
    assert.equal(await isSynchronized, true);
  });

  it("keep the old filters while an assignment is being stored, whatever the broker confirms meanwhile", async () => {
    const topics: Record<string, string[]> = { wh_1: ["a/+"], wh_2: ["b"] };
    const { subscriptions, change, store } = await setup(topics);
    const [session] = subscriptions.sessions;
    session!.callbacks.onConnect(true);
    await turns();
    session!.grant();
    delete topics.wh_2;
    await change();
    assert.deepEqual(session!.left, ["b"]);

    const stored = latch();
    store.gate = () => stored.promise;
    topics.wh_1 = ["a/#"];
    await change();
    session!.confirmLeft();
    assert.deepEqual(subscriptions.route("a/b", { session: 0, ids: [1] }), ["wh_1"]);
    stored.resolve();
    await turns();
    assert.deepEqual(subscriptions.route("a/b", { session: 0, ids: [1] }), ["wh_1"]);
  });

  it("keep the old filters when the broker grants an earlier change while a later one is being stored", async () => {
    const topics: Record<string, string[]> = { wh_1: ["a/+"], wh_2: [] };
    const { subscriptions, change, store } = await setup(topics);
    const [session] = subscriptions.sessions;
    session!.callbacks.onConnect(true);
    await turns();
    session!.grant();
    topics.wh_2 = ["b"];
    await change();
    const stored = latch();
    store.gate = () => stored.promise;
    topics.wh_1 = ["a/#"];
    await change();
    session!.grant();
    assert.deepEqual(subscriptions.route("a/b", { session: 0, ids: [1] }), ["wh_1"]);
    stored.resolve();
    await turns();
    assert.deepEqual(session!.left, [], "not granted yet");
    assert.deepEqual(subscriptions.route("a/b", { session: 0, ids: [1] }), ["wh_1"]);
  });

  it("keep the record of a filter that is wanted again in another session while it is being unsubscribed", async () => {
    // a/b overlaps a/+ and is in session 1; then it is wanted alone, in session 0.
    const topics: Record<string, string[]> = { wh_1: ["a/+"], wh_2: ["a/b"] };
    const { subscriptions, change, store, log } = await setup(topics);
    subscriptions.sessions[0]!.callbacks.onConnect(false);
    await turns();
    for (const session of subscriptions.sessions) session.grant();
    delete topics.wh_1;
    delete topics.wh_2;
    await change();
    for (const session of subscriptions.sessions) session.grant();
    const [first, second] = subscriptions.sessions;
    first!.confirmLeft();
    await turns();

    const stored = latch();
    store.gate = () => stored.promise;
    topics.wh_2 = ["a/b"];
    await change();
    second!.confirmLeft();
    stored.resolve();
    await turns();
    assert.deepEqual([...first!.wanted.keys()], ["a/b"]);
    assert.deepEqual(
      log.filter((line) => line.endsWith("a/b")),
      ["create a/b", "replace a/b"],
    );
  });

  it("open no session after they were stopped", async () => {
    const topics: Record<string, string[]> = { wh_1: ["a/+"] };
    const { subscriptions, change, store } = await setup(topics);
    subscriptions.sessions[0]!.callbacks.onConnect(false);
    await turns();
    const stored = latch();
    store.gate = () => stored.promise;
    topics.wh_2 = ["a/b"];
    await change();
    await subscriptions.stop();
    stored.resolve();
    await turns();
    assert.equal(subscriptions.sessions.length, 1);
  });
});
