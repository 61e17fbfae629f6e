import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OrphanedQueues } from "../../../src/uplink/queue/orphaned-queues.ts";
import { MessageLedger } from "../../../src/uplink/receive/message-ledger.ts";
import { eventually } from "../../support/eventually.ts";

function makeBook() {
  const written: Record<string, number>[] = [];
  const failures: Error[] = [];
  const store = { fail: 0 };
  const book = new MessageLedger({
    counters: {
      async add(_group, deltas) {
        if (store.fail-- > 0) throw new Error("store away");
        written.push(deltas);
      },
      async read() {
        const sum: Record<string, number> = {};
        for (const deltas of written) for (const [k, n] of Object.entries(deltas)) sum[k] = (sum[k] ?? 0) + n;
        return sum;
      },
    },
    onFailed: (error) => failures.push(error),
  });
  return { book, written, failures, store };
}

describe("the message ledger", () => {
  it("writes noted messages together, by outcome", async () => {
    const { book, written } = makeBook();
    for (const outcome of ["unmatched", "unmatched", "too_large", "retained_skipped", "enqueued"] as const)
      book.note(outcome);
    await book.enqueued(7);
    assert.deepEqual(await book.read(), {
      received: 12,
      unmatched: 4,
      enqueued: 8,
      unmatchedBy: { noWebhook: 2, tooLarge: 1, retainedSkipped: 1 },
    });
    assert.equal(written.length, 2);
    assert.deepEqual(written[0], { received: 7, enqueued: 7 });
  });

  it("writes within a second by itself", async () => {
    const { book, written } = makeBook();
    book.note("unmatched");
    // Nothing else keeps the process alive.
    const alive = setInterval(() => {}, 1_000);
    await eventually(() => written.length, "something is written");
    clearInterval(alive);
    assert.deepEqual(written, [{ received: 1, unmatched: 1 }]);
  });

  it("keeps entries that could not be written, and writes them together with later ones", async () => {
    const { book, written, failures, store } = makeBook();
    store.fail = 1;
    book.note("too_large");
    await book.write();
    assert.deepEqual([written, failures.length], [[], 1]);
    book.note("unmatched");
    await book.stop();
    assert.deepEqual(written, [{ received: 2, unmatched: 2, too_large: 1 }]);
    await book.write();
    assert.equal(written.length, 1, "nothing twice");
  });

  it("writes once for several concurrent requests", async () => {
    const { book, written } = makeBook();
    book.note("unmatched");
    await Promise.all([book.write(), book.read(), book.stop()]);
    assert.deepEqual(written, [{ received: 1, unmatched: 1 }]);
  });
});

describe("orphaned queues", () => {
  it("are dropped without a registration, but not if this instance has merely not learned of it yet", async () => {
    const dropped: string[] = [];
    const orphanedQueues = new OrphanedQueues({
      queued: async () => ["known", "new", "gone", "gone too"],
      isKnown: (id) => id === "known",
      isStored: async (id) => id === "new",
      drop: async (id) => void dropped.push(id),
      onFailed: (error) => assert.fail(error),
    });
    await orphanedQueues.sweep();
    assert.deepEqual(dropped, ["gone", "gone too"]);
  });

  it("are tried again at the next sweep when the store was away", async () => {
    const failures: Error[] = [];
    const dropped: string[] = [];
    const orphanedQueues = new OrphanedQueues({
      queued: async () => ["gone"],
      isKnown: () => false,
      isStored: async () => false,
      async drop(id) {
        if (failures.length === 0) throw new Error("store away");
        dropped.push(id);
      },
      onFailed: (error) => failures.push(error),
    });
    await orphanedQueues.sweep();
    assert.deepEqual([failures.length, dropped], [1, []]);
    await orphanedQueues.sweep();
    assert.deepEqual([failures.length, dropped], [1, ["gone"]]);
  });
});
