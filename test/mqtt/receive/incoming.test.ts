/**
 * QoS 2 at every point at which a bridge can die. A process is an Acknowledger of its own on the entries left by the
 * previous one, the queue is a set of job ids, and the broker follows the specification.
 */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { Receipt } from "../../../src/mqtt/receive/acknowledgement.ts";
import type { IncomingOptions } from "../../../src/mqtt/receive/incoming.ts";
import { eventually } from "../../support/eventually.ts";
import { openSession, publish, roundTrip, type Session } from "./acknowledgement-session.ts";

type Entries = Awaited<ReturnType<IncomingOptions["entries"]["all"]>>;

/** State that survives a process. */
class Store {
  entries: Entries = new Map();
  writes = 0;
  reads = 0;
  failures = 0;
  mayWrite = true;
  /** Failures of the next calls, before or after their effect. */
  fail: ("before" | "after")[] = [];

  readonly options: IncomingOptions = {
    entries: {
      all: async () => {
        this.reads++;
        this.#failIf("before");
        return structuredClone(this.entries);
      },
      write: async (entries, removed) => {
        this.writes++;
        this.#failIf("before");
        for (const [id, entry] of entries) this.entries.set(id, structuredClone(entry));
        for (const id of removed) this.entries.delete(id);
        this.#failIf("after");
      },
    },
    mayWrite: async () => this.mayWrite,
    onFailed: () => this.failures++,
  };

  #failIf(when: "before" | "after"): void {
    if (this.fail[0] !== when) return;
    this.fail.shift();
    throw new Error("store away");
  }
}

const idOf = ({ packet }: Receipt) => packet.identity!.id;
const two = (id: number, options: Parameters<typeof publish>[1] = {}) => publish(id, { qos: 2, ...options });
const pubrel = (messageId: number) => ({ cmd: "pubrel", messageId }) as const;

/** Ends the process with its connection; only the store survives. */
async function die(session: Session): Promise<void> {
  session.incoming?.stop();
  await session.client.endAsync(true);
}

/** Continues up to PUBREC, or stops before it. */
async function begin(
  t: TestContext,
  store: Store,
  upTo: "entry" | "pubrec",
): Promise<{ id: string; session: Session }> {
  const session = await openSession(t, { incoming: store.options });
  session.link.send(two(7));
  await session.taken(1);
  assert.equal(store.entries.get(7)?.id, idOf(session.receipts[0]!), "the entry was written before it was passed on");
  if (upTo === "pubrec") {
    session.receipts[0]!.done();
    await session.link.until("pubrec");
  }
  return { id: idOf(session.receipts[0]!), session };
}

describe("QoS 2 when the bridge dies", () => {
  it("before the entry is written: the repeated message is a new one, and nothing was passed on before", async (t) => {
    const store = new Store();
    store.mayWrite = false;
    const first = await openSession(t, { incoming: store.options });
    first.link.send(two(7));
    await eventually(() => first.acknowledger.pending === 1, "it is taken");
    await roundTrip(first);
    await die(first);
    assert.deepEqual([first.receipts.length, store.entries.size], [0, 0]);
    store.mayWrite = true;
    const second = await openSession(t, { incoming: store.options });
    second.link.send(two(7, { dup: true }));
    await second.taken(1);
    assert.equal(store.entries.size, 1);
  });

  for (const [name, upTo] of [
    ["before or amid the deliveries, or before PUBREC", "entry"],
    ["with PUBREC lost on its way", "pubrec"],
  ] as const) {
    for (const sessionPresent of [true, false]) {
      it(`${name}: keeps the id, session present ${sessionPresent}`, async (t) => {
        const store = new Store();
        const { id, session } = await begin(t, store, upTo);
        const { receivedAt } = session.receipts[0]!.packet.identity!;
        await die(session);
        const second = await openSession(t, { incoming: store.options, sessionPresent });
        second.link.send(two(7, { dup: true }));
        await second.taken(1);
        assert.deepEqual(second.receipts[0]!.packet.identity, { id, receivedAt });
        await roundTrip(second);
        assert.equal(second.link.of("pubrec").length, 0, "held until its deliveries are durable again");
        second.receipts[0]!.done();
        await second.link.until("pubrec");
        second.link.send(pubrel(7));
        await second.link.until("pubcomp");
        assert.deepEqual([second.receipts.length, store.entries.size, store.writes], [1, 0, 2]);
      });
    }
  }

  it("with PUBREL on its way: PUBREL is repeated, and only then is the entry removed", async (t) => {
    const store = new Store();
    const { session } = await begin(t, store, "pubrec");
    await die(session);
    assert.equal(store.entries.size, 1);
    const second = await openSession(t, { incoming: store.options });
    second.link.send(pubrel(7));
    await second.link.until("pubcomp");
    assert.deepEqual([second.receipts.length, store.entries.size], [0, 0]);
  });

  it("before PUBCOMP has left: PUBREL of an unknown identifier is answered, and the next message is a new one", async (t) => {
    const store = new Store();
    const { id, session } = await begin(t, store, "pubrec");
    store.fail = ["after"]; // removes the entry, then reports a failure
    session.link.send(pubrel(7));
    await eventually(() => store.entries.size === 0, "the entry is gone");
    await die(session);
    const second = await openSession(t, { incoming: store.options });
    second.link.send(pubrel(7));
    await second.link.until("pubcomp");
    second.link.send(two(7));
    await second.taken(1);
    assert.notEqual(idOf(second.receipts[0]!), id);
  });
});

describe("QoS 2 and the store", () => {
  it("PUBCOMP is held until the entry is removed, however long it takes, and leaves only on the current connection", async (t) => {
    const store = new Store();
    const { session } = await begin(t, store, "pubrec");
    store.mayWrite = false;
    session.link.send(pubrel(7), pubrel(7));
    await roundTrip(session);
    assert.deepEqual([session.link.of("pubcomp").length, store.entries.size], [0, 1]);
    const link = await session.reconnect();
    link.send(pubrel(7));
    await roundTrip(session);
    store.mayWrite = true;
    await link.until("pubcomp");
    assert.deepEqual([store.entries.size, link.of("pubcomp").length, session.link.of("pubcomp").length], [0, 1, 0]);
  });

  it("an outage: reads and writes are retried in order until they succeed, and all attempts result in one id", async (t) => {
    const store = new Store();
    store.fail = ["before", "before", "after", "before"];
    const session = await openSession(t, { incoming: store.options });
    session.link.send(two(1), two(2));
    await session.taken(2);
    assert.deepEqual(session.payloads(), ["m1", "m2"]);
    assert.deepEqual(
      [...store.entries.values()].map(({ id }) => id),
      session.receipts.map(idOf),
    );
    assert.equal(store.failures, 4);
  });

  it("many entries are written at once, and read once per connection", async (t) => {
    const store = new Store();
    const session = await openSession(t, { incoming: store.options });
    session.link.send(...Array.from({ length: 300 }, (_, i) => two(i + 1)));
    await session.taken(300);
    assert.ok(store.writes < 30, `${store.writes} writes`);
    for (const { done } of session.receipts) done();
    await session.link.until("pubrec", 300);
    session.link.send(...Array.from({ length: 300 }, (_, i) => pubrel(i + 1)));
    await session.link.until("pubcomp", 300);
    assert.ok(store.writes < 60, `${store.writes} writes`);
    assert.deepEqual([store.entries.size, store.reads], [0, 1]);
  });

  it("a stopped one writes nothing and passes nothing on", async (t) => {
    const store = new Store();
    store.mayWrite = false;
    const session = await openSession(t, { incoming: store.options });
    session.link.send(two(1));
    await eventually(() => session.acknowledger.pending === 1, "it is taken");
    session.incoming!.stop();
    store.mayWrite = true;
    await new Promise((resolve) => setTimeout(resolve, 200)); // longer than the retry delay
    assert.deepEqual([store.writes, session.receipts.length], [0, 0]);
  });

  it("QoS 0 and 1 never access it", async (t) => {
    const store = new Store();
    const session = await openSession(t, { incoming: store.options });
    session.link.send(publish(1), publish(2, { qos: 0 }));
    await session.taken(2);
    assert.deepEqual([store.reads, store.writes], [0, 0]);
    assert.equal(session.receipts[0]!.packet.identity, undefined);
  });
});

describe("QoS 2: another message with a known identifier", () => {
  const left = { id: "msg_left", receivedAt: 1 };

  for (const [name, again, sessionPresent] of [
    ["other contents", { payload: "other", dup: true }, true],
    ["another topic", { topic: "other", dup: true }, true],
    ["other user properties", { dup: true, properties: { userProperties: { a: "1" } } }, true],
    ["the same contents without DUP on a new session", {}, false],
  ] as const) {
    it(`${name}: replaces the entry`, async (t) => {
      const store = new Store();
      const { id, session } = await begin(t, store, "pubrec");
      await die(session);
      const second = await openSession(t, { incoming: store.options, sessionPresent });
      second.link.send(two(7, again));
      await second.taken(1);
      assert.notEqual(idOf(second.receipts[0]!), id);
      assert.equal(store.entries.get(7)!.id, idOf(second.receipts[0]!));
      assert.equal(store.entries.size, 1);
    });
  }

  it("the same message without DUP is the known one where the session continues (Aedes), whatever its expiry interval", async (t) => {
    const store = new Store();
    const first = await openSession(t, { incoming: store.options });
    first.link.send(two(7, { properties: { messageExpiryInterval: 60 } }));
    await first.taken(1);
    await die(first);
    const second = await openSession(t, { incoming: store.options });
    second.link.send(two(7, { properties: { messageExpiryInterval: 50 } }));
    await second.taken(1);
    assert.equal(idOf(second.receipts[0]!), idOf(first.receipts[0]!));
  });

  it("the entries are read again at each connect: another instance may have been the receiver", async (t) => {
    const store = new Store();
    const { session } = await begin(t, store, "pubrec");
    const digest = store.entries.get(7)!.digest;
    session.link.breakOff();
    store.entries = new Map([[9, { ...left, digest: digest }]]);
    const link = await session.broker.connection(2);
    link.send(two(9, { dup: true, payload: "m7" }));
    await session.taken(2);
    assert.equal(idOf(session.receipts[1]!), left.id);
  });
});
