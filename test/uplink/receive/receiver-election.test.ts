/** Receiver election of two instances: who receives, the state both know, and the end of a lost term. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { QoS } from "../../../src/message.ts";
import { Lease } from "../../../src/store/lease.ts";
import { createProcessLeases } from "../../../src/store/process-leases.ts";
import { RecordCache } from "../../../src/store/record-cache.ts";
import { Watchers } from "../../../src/store/watchers.ts";
import { Enqueuer } from "../../../src/uplink/receive/enqueuer.ts";
import { Receiver } from "../../../src/uplink/receive/receiver.ts";
import { digestOf, ReceiverElection, type ReceiverRecord } from "../../../src/uplink/receive/receiver-election.ts";
import type { Assignment } from "../../../src/uplink/receive/reconciliation/session-plan.ts";
import type { Session, SessionCallbacks } from "../../../src/uplink/receive/session.ts";
import { Subscriptions } from "../../../src/uplink/receive/subscriptions.ts";
import { eventually } from "../../support/eventually.ts";
import { memoryRecords } from "../../support/memory-records.ts";

const log = { info() {}, warn() {}, error() {} };
const WAIT_MS = 5_000;

/** Session at a broker that grants at once, unless the test stops it. */
class FakeSession implements Session {
  connected = false;
  settled = false;
  grants = true;
  readonly ended: ("drained" | "closed")[] = [];

  constructor(readonly callbacks: SessionCallbacks) {
    setImmediate(() => this.connect());
  }

  connect(): void {
    this.connected = true;
    this.callbacks.onConnect(true);
    this.#settle();
  }

  disconnect(): void {
    this.connected = false;
    this.settled = false;
    this.callbacks.onClose();
  }

  want(_subscriptions: { filter: string; qos: QoS; id: number }[]): void {
    this.settled = false;
    this.#settle();
  }

  leave(): void {}

  status: { refused: { filter: string; reason: string }[] } = { refused: [] };

  grant(): void {
    this.settled = true;
    this.callbacks.onSettled();
  }

  async drain(): Promise<void> {
    this.ended.push("drained");
  }

  async close(): Promise<void> {
    this.ended.push("closed");
  }

  #settle(): void {
    if (this.grants && this.connected) this.grant();
  }
}

/** Makes the state shared by the instances. */
function makeStore() {
  return {
    leases: createProcessLeases(new Watchers(log)),
    receivers: memoryRecords<ReceiverRecord>(),
    assignments: memoryRecords<Assignment>(),
  };
}

async function instance(t: TestContext, name: string, store: ReturnType<typeof makeStore>) {
  const view = new RecordCache(store.receivers, log, "lane");
  await view.start();
  let cut = false;
  const reach = <T>(call: () => Promise<T>) => (cut ? Promise.reject(new Error("cut off")) : call());
  const written: string[] = [];
  const webhooks: { id: string; topics: string[]; qos: QoS }[] = [];
  let caughtUp = 0;
  const election: ReceiverElection<FakeSession> = new ReceiverElection<FakeSession>({
    openLease: (callbacks) =>
      new Lease({
        leases: {
          ...store.leases,
          acquire: (...args) => reach(() => store.leases.acquire(...args)),
          holder: (...args) => reach(() => store.leases.holder(...args)),
        },
        name: "lane-0",
        holder: name,
        onError: () => {},
        speed: 20,
        ...callbacks,
      }),
    cache: view,
    wanted: () => webhooks,
    openReceiver: ({ lease, onChange }) =>
      new Receiver({
        subscriptions: new Subscriptions<FakeSession>({
          webhooks: () => webhooks,
          records: store.assignments,
          openSession: (callbacks) => new FakeSession(callbacks),
          onError: () => {},
          onChange,
        }),
        enqueuer: new Enqueuer({
          deliveries: { add: async (_id, jobs) => void written.push(...jobs.map(({ data }) => data.payload!)) },
          ledger: { enqueued: async () => {} },
          destinations: { has: () => true },
          births: { note: () => {}, written: () => undefined },
          lease,
          observe: { flushed: () => {}, partFailed: () => {} },
        }),
        caches: [{ reload: async () => void caughtUp++ }],
        onError: () => {},
      }),
    onError: () => {},
  });
  const alive = setInterval(() => {}, 1_000);
  t.after(async () => {
    clearInterval(alive);
    await election.stop();
    await view.stop();
  });
  await election.start();
  return {
    election,
    written,
    session: () => election.receiver!.subscriptions.sessions[0]!,
    cut: (off: boolean) => {
      cut = off;
    },
    caughtUp: () => caughtUp,
    /** Announces another webhook to this instance. */
    webhook(topic: string) {
      webhooks.push({ id: topic, topics: [topic], qos: 1 });
      election.refresh();
    },
    until: (condition: () => boolean, what: string) => eventually(condition, what, WAIT_MS),
  };
}

describe("receiver election", { timeout: 30_000 }, () => {
  it("is synchronized on all instances when the broker grants the receiver the filters that each instance wants", async (t) => {
    const store = makeStore();
    const [a, b] = [await instance(t, "a", store), await instance(t, "b", store)];
    assert.deepEqual([a.election.lease.held, b.election.lease.held, b.election.receiver], [true, false, undefined]);
    assert.equal(await a.election.untilSynchronized(WAIT_MS), true);
    assert.equal(await b.election.untilSynchronized(WAIT_MS), true);

    b.webhook("x");
    assert.equal(b.election.isSynchronized, false, "the holder has not heard of it");
    assert.equal(a.election.isSynchronized, true);
    const isSynchronized = b.election.untilSynchronized(WAIT_MS);
    a.session().grants = false;
    a.webhook("x");
    assert.equal(await b.election.untilSynchronized(50), false, "the broker has not granted it");
    a.session().grant();
    assert.equal(await isSynchronized, true);
    assert.equal(a.election.isSynchronized, true);

    a.session().disconnect();
    await b.until(() => !b.election.isSynchronized, "the holder has no connection");
    assert.equal(a.election.isSynchronized, false);
    a.session().connect();
    a.session().grant();
    assert.equal(await b.election.untilSynchronized(WAIT_MS), true);
  });

  it("announces to the others which filters the broker refuses to the receiver", async (t) => {
    const store = makeStore();
    const [a, b] = [await instance(t, "a", store), await instance(t, "b", store)];
    assert.equal(await b.election.untilSynchronized(WAIT_MS), true);
    assert.deepEqual([a.election.refused, b.election.refused], [[], []]);
    const refused = [{ filter: "x", reason: "no" }];
    a.session().status = { refused };
    a.session().grant();
    await b.until(() => b.election.refused.length > 0, "the other one is told");
    assert.deepEqual([a.election.refused, b.election.refused], [refused, refused]);
    assert.equal(b.election.isSynchronized, true);
    a.session().status = { refused: [] };
    a.session().grant();
    await b.until(() => b.election.refused.length === 0, "and when that is over");
  });

  it("passes to the other instance without messages that are not durable", async (t) => {
    const store = makeStore();
    const [a, b] = [await instance(t, "a", store), await instance(t, "b", store)];
    await a.election.untilSynchronized(WAIT_MS);
    const [lost, session] = [a.election.receiver!, a.session()];
    a.cut(true);
    await b.until(() => b.election.lease.held, "the other one has it");
    assert.equal(b.caughtUp(), 1, "it looked what is registered");
    assert.equal(a.election.lease.isValid, false);
    const message = {
      id: "msg_1",
      topic: "t",
      payload: Buffer.from("x"),
      qos: 1 as const,
      retain: false,
      receivedAt: 0,
    };
    lost.enqueuer.add(message, ["wh_1"], () => assert.fail("it is not acknowledged"));
    await new Promise((resolve) => setTimeout(resolve, 100)); // the flush is attempted but not permitted
    a.cut(false);
    await a.until(() => !a.election.lease.held, "the first one is told");
    assert.deepEqual([a.election.receiver, session.ended], [undefined, ["closed"]]);
    assert.equal(await a.election.untilSynchronized(WAIT_MS), true, "by the word of the other one");
    assert.equal((await store.receivers.get("0"))!.value.holder, "b");
    await b.election.stop();
    await a.until(() => a.election.lease.held, "and back again");
    await a.election.untilSynchronized(WAIT_MS);
    assert.deepEqual(a.written, [], "also when it receives again");
  });

  it("releases the lease after the sessions have ended", async (t) => {
    const store = makeStore();
    const [a, b] = [await instance(t, "a", store), await instance(t, "b", store)];
    await a.election.untilSynchronized(WAIT_MS);
    const session = a.session();
    let free = () => {};
    session.close = () => {
      session.ended.push("closed");
      return new Promise((resolve) => {
        free = resolve;
      });
    };
    const stopped = a.election.stop();
    await new Promise((resolve) => setTimeout(resolve, 150)); // the other instance tries three times
    assert.equal(b.election.lease.held, false);
    free();
    await stopped;
    assert.deepEqual(session.ended, ["drained", "closed"], "with the time to acknowledge");
    await b.until(() => b.election.lease.held, "the other one has it");
  });
});

describe("the digest of the wanted filters", () => {
  it("covers the filters and their quality of service, independent of their distribution over webhooks", () => {
    const one = digestOf([{ topics: ["a", "b"], qos: 1 }]);
    assert.equal(
      digestOf([
        { topics: ["b"], qos: 1 },
        { topics: ["a", "b"], qos: 0 },
        { topics: ["a"], qos: 1 },
      ]),
      one,
    );
    assert.notEqual(digestOf([{ topics: ["a", "b"], qos: 2 }]), one);
    assert.notEqual(digestOf([{ topics: ["a"], qos: 1 }]), one);
  });
});
