/** A series of quick closes without another explanation counts as a take-over of the session. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Loss, TakeOverDetection } from "../../../src/mqtt/client/take-over.ts";

const QUICK_MS = 2_999;
const plain = { reasonCode: undefined, isAsking: false, isOwn: false };

/** Connects and loses the connection `afterMs` later. @returns whether that counts as a take-over */
function lose(detection: TakeOverDetection, loss: Omit<Loss, "now"> = plain, afterMs = QUICK_MS): boolean {
  detection.connected(1_000);
  detection.lost({ now: 1_000 + afterMs, ...loss });
  return detection.isTakenOver;
}

describe("a take-over of the session", () => {
  it("is three quick closes in a row", () => {
    const detection = new TakeOverDetection(true);
    assert.deepEqual([lose(detection), lose(detection), lose(detection)], [false, false, true]);
    detection.reset();
    assert.deepEqual([lose(detection), lose(detection), lose(detection)], [false, false, true]);
  });

  it("counts closes for which DISCONNECT gives that reason, although a request is unanswered", () => {
    const detection = new TakeOverDetection(true);
    const loss = { reasonCode: 142, isAsking: true, isOwn: false };
    assert.deepEqual([lose(detection, loss), lose(detection, loss), lose(detection, loss)], [false, false, true]);
  });

  it("is ruled out by a connection that lasts", () => {
    const detection = new TakeOverDetection(true);
    lose(detection);
    lose(detection);
    assert.equal(lose(detection, plain, QUICK_MS + 1), false);
    assert.deepEqual([lose(detection), lose(detection), lose(detection)], [false, false, true]);
  });

  for (const [explanation, loss] of Object.entries({
    "another reason in DISCONNECT": { reasonCode: 0x97, isAsking: false, isOwn: false },
    "an unanswered request": { reasonCode: undefined, isAsking: true, isOwn: false },
    "an error of our client": { reasonCode: undefined, isAsking: false, isOwn: true },
  })) {
    it(`does not count closes with ${explanation}, which leave the count as it is`, () => {
      const detection = new TakeOverDetection(true);
      for (let i = 0; i < 5; i++) assert.equal(lose(detection, loss), false);
      lose(detection);
      lose(detection);
      assert.equal(lose(detection, loss), false);
      assert.equal(lose(detection), true);
    });
  }

  it("is impossible for a session that ends with its connection", () => {
    const detection = new TakeOverDetection(false);
    for (let i = 0; i < 5; i++) assert.equal(lose(detection), false);
  });
});
