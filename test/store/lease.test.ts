/** Lease of one instance among several: when it is gained, lost, and certainly held. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Lease } from "../../src/store/lease.ts";
import { createProcessLeases } from "../../src/store/process-leases.ts";
import type { Leases } from "../../src/store/store.ts";
import { Watchers } from "../../src/store/watchers.ts";

/** 7 s become 350 ms, and 1 s becomes 50 ms. */
const SPEED = 20;
const TTL_MS = 7_000 / SPEED;
const GRACE_MS = 3_000 / SPEED;

/** Makes real leases in one process, with a switch; a lease also expires while the switch is off. */
function makeStore() {
  const leases = createProcessLeases(new Watchers({ info() {}, warn() {}, error() {} }));
  const store = { away: false, leases };
  const guard = async <T>(call: () => Promise<T>): Promise<T> => {
    if (store.away) throw new Error("the store is away");
    return call();
  };
  return Object.assign(store, {
    /** The leases as one instance reaches them. */
    view(isAway: () => boolean = () => false): Leases {
      const reach = <T>(call: () => Promise<T>) => (isAway() ? Promise.reject(new Error("cut off")) : guard(call));
      return {
        acquire: (...args) => reach(() => leases.acquire(...args)),
        release: (...args) => reach(() => leases.release(...args)),
        holder: (name) => reach(() => leases.holder(name)),
        watch: (listener) => leases.watch(listener),
      };
    },
  });
}

function instance(t: TestContext, holder: string, leases: Leases) {
  const events: string[] = [];
  const waiting = new Set<() => void>();
  const note = (event: string) => {
    events.push(event);
    for (const look of waiting) look();
  };
  const lease = new Lease({
    leases,
    name: "l",
    holder,
    onGained: () => note("gained"),
    onLost: () => note("lost"),
    onError: () => note("error"),
    speed: SPEED,
  });
  // The lease keeps no process alive; a test that waits for it must do so.
  const alive = setInterval(() => {}, 1_000);
  t.after(async () => {
    clearInterval(alive);
    await lease.stop();
  });
  const until = (event: string, times = 1) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (events.filter((one) => one === event).length < times) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  return { lease, events, until };
}

describe("a lease", { timeout: 20_000 }, () => {
  it("is gained by the first instance, and the other one knows the holder", async (t) => {
    const store = makeStore();
    const [a, b] = [instance(t, "a", store.view()), instance(t, "b", store.view())];
    assert.deepEqual([a.lease.held, a.lease.holder, a.lease.validMs], [false, undefined, 0]);
    await a.lease.start();
    await b.lease.start();
    assert.deepEqual([a.events, b.events], [["gained"], []]);
    assert.ok(a.lease.isValid && a.lease.validMs <= 6_000 / SPEED);
    assert.deepEqual([a.lease.holder, b.lease.holder], ["a", "a"]);
    await delay(3 * TTL_MS);
    assert.ok(a.lease.isValid, "it is renewed");
    assert.deepEqual([a.events, b.events], [["gained"], []]);
  });

  it("passes to another instance at once when it is released", async (t) => {
    const store = makeStore();
    const [a, b] = [instance(t, "a", store.view()), instance(t, "b", store.view())];
    await a.lease.start();
    await b.lease.start();
    await a.lease.stop();
    await new Promise((resolve) => setImmediate(resolve)); // the notice arrives, without a wait of a second
    assert.deepEqual([a.events, b.events], [["gained"], ["gained"]]);
    assert.deepEqual([a.lease.held, b.lease.holder], [false, "b"]);
    await a.lease.stop();
    assert.equal(await store.leases.holder("l"), "b", "who has nothing gives nothing back");
  });

  it("passes to another instance when its holder is silent", async (t) => {
    const store = makeStore();
    const b = instance(t, "b", store.view());
    await store.leases.acquire("l", "dead", TTL_MS);
    const startedAt = performance.now();
    await b.lease.start();
    assert.equal(b.lease.holder, "dead");
    await b.until("gained");
    assert.ok(performance.now() - startedAt >= TTL_MS);
  });

  it("stays held while the store is away, but not certainly", async (t) => {
    const store = makeStore();
    const a = instance(t, "a", store.view());
    await a.lease.start();
    store.away = true;
    await a.until("error");
    assert.ok(a.lease.isValid, "what was confirmed holds for its time");
    await delay(TTL_MS);
    assert.deepEqual([a.lease.held, a.lease.isValid, a.lease.holder], [true, false, "a"]);
    store.away = false;
    await a.lease.check();
    assert.ok(a.lease.isValid);
    assert.ok(!a.events.includes("lost"));
    assert.equal(a.events.filter((event) => event === "gained").length, 1);
  });

  it("is lost when the store reports another holder, and gained again later", async (t) => {
    const store = makeStore();
    let cut = false;
    const [a, b] = [
      instance(
        t,
        "a",
        store.view(() => cut),
      ),
      instance(t, "b", store.view()),
    ];
    await a.lease.start();
    await b.lease.start();
    cut = true;
    await b.until("gained");
    assert.deepEqual([a.lease.held, a.lease.isValid], [true, false], "by then nobody holds it surely but the new one");
    cut = false;
    await a.until("lost");
    assert.deepEqual([a.lease.held, a.lease.validMs, a.lease.holder], [false, 0, "b"]);
    await b.lease.stop();
    await a.until("gained", 2);
    assert.deepEqual(
      a.events.filter((event) => event !== "error"),
      ["gained", "lost", "gained"],
    );
  });

  it("stays with its holder after an outage in which it expired", async (t) => {
    const store = makeStore();
    const [a, b] = [instance(t, "a", store.view()), instance(t, "b", store.view())];
    await a.lease.start();
    await b.lease.start();
    store.away = true;
    await Promise.all([a.until("error"), b.until("error")]);
    await delay(TTL_MS);
    store.away = false;
    await b.lease.check(); // b is the first to see that the store is back
    await delay(2 * GRACE_MS);
    assert.deepEqual([a.lease.isValid, b.lease.held, b.lease.holder], [true, false, "a"]);
  });
});
