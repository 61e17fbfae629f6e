/** Messages that the embedded broker holds for the bridge's own session instead of storing them. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { InFlightMessages } from "../../../src/mqtt/embedded/in-flight-messages.ts";

const SESSION = "causeway-uplink-0";

function setUp(t: TestContext) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const stored: { brokerCounter: number; messageId?: number }[] = [];
  const held = new InFlightMessages<{ brokerCounter: number; messageId?: number }>(async (_, message) => {
    stored.push(message);
  });
  held.begin(SESSION);
  held.open(SESSION);
  const safe: number[] = [];
  const hold = (brokerCounter: number) =>
    void held.hold(SESSION, { brokerCounter }).then(() => safe.push(brokerCounter));
  const send = (brokerCounter: number, messageId: number) => held.sent(SESSION, { brokerCounter, messageId });
  /** Lets the promises that can settle do so. */
  const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
  return { held, stored, safe, hold, send, settled };
}

describe("a held message", () => {
  it("is safe when the session has acknowledged it, and is not stored", async (t) => {
    const { held, stored, safe, hold, send, settled } = setUp(t);
    hold(1);
    hold(2);
    assert.equal(send(1, 11), true);
    assert.equal(send(2, 12), true);
    assert.equal(held.acknowledged(SESSION, 12), true);
    await settled();
    assert.deepEqual([safe, stored], [[2], []]);
    assert.equal(held.acknowledged(SESSION, 12), false);
  });

  it("is stored under its packet identifier when the session ends", async (t) => {
    const { held, stored, safe, hold, send, settled } = setUp(t);
    hold(1);
    hold(2);
    send(1, 11);
    held.end(SESSION);
    await settled();
    assert.deepEqual(stored, [{ brokerCounter: 1, messageId: 11 }, { brokerCounter: 2 }]);
    assert.deepEqual(safe, [1, 2]);
    assert.equal(held.canHold(SESSION), false);
  });

  it("is stored when the session begins again before its end is known", async (t) => {
    const { held, stored, safe, hold, settled } = setUp(t);
    hold(1);
    held.begin(SESSION);
    held.open(SESSION);
    held.open(SESSION);
    await settled();
    assert.deepEqual([stored, safe], [[{ brokerCounter: 1 }], [1]]);
    assert.equal(held.canHold(SESSION), true);
  });

  it("is stored when the session acknowledges nothing for a second, and then its acknowledgement is the store's", async (t) => {
    const { held, stored, safe, hold, send, settled } = setUp(t);
    hold(1);
    send(1, 11);
    t.mock.timers.tick(500);
    hold(2);
    send(2, 12);
    t.mock.timers.tick(500);
    await settled();
    assert.deepEqual([stored, safe], [[{ brokerCounter: 1, messageId: 11 }], [1]]);
    assert.equal(held.canHold(SESSION), false, "the session is stuck");
    assert.equal(held.acknowledged(SESSION, 11), false);
    assert.equal(held.canHold(SESSION), true, "it acknowledges again");
  });

  it("waits ten seconds at most for a session that acknowledges others", async (t) => {
    const { held, stored, safe, hold, send, settled } = setUp(t);
    hold(1);
    send(1, 1);
    for (let n = 2; n <= 20; n++) {
      hold(n);
      send(n, n);
      held.acknowledged(SESSION, n);
      t.mock.timers.tick(500);
    }
    assert.deepEqual(stored, []);
    t.mock.timers.tick(500);
    await settled();
    assert.deepEqual([stored, safe.includes(1)], [[{ brokerCounter: 1, messageId: 1 }], true]);
  });

  it("is stored when the broker could not send it", async (t) => {
    const { held, stored, hold, send } = setUp(t);
    hold(1);
    hold(2);
    send(2, 12);
    held.delivered(1);
    held.delivered(2);
    assert.deepEqual(stored, [{ brokerCounter: 1 }]);
  });

  it("is held once for overlapping filters", async (t) => {
    const { held } = setUp(t);
    assert.equal(held.hold(SESSION, { brokerCounter: 1 }), held.hold(SESSION, { brokerCounter: 1 }));
  });

  it("leaves an acknowledgement to an older stored message with the same packet identifier", async (t) => {
    const { held, safe, hold, send, settled } = setUp(t);
    assert.equal(send(1, 11), false, "from the store");
    hold(2);
    send(2, 11);
    assert.equal(held.acknowledged(SESSION, 11), false);
    await settled();
    assert.deepEqual(safe, []);
    assert.equal(held.acknowledged(SESSION, 11), true);
  });

  it("is not safe when it cannot be stored", async () => {
    const held = new InFlightMessages(() => Promise.reject(new Error("the disk is full")));
    held.begin(SESSION);
    held.open(SESSION);
    held.open(SESSION);
    const safe = held.hold(SESSION, { brokerCounter: 1 });
    held.end(SESSION);
    await assert.rejects(safe, /the disk is full/);
  });
});
