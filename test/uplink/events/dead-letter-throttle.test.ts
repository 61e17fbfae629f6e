import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DeadLetterThrottle } from "../../../src/uplink/events/dead-letter-throttle.ts";

function setup(minuteMs = 60_000) {
  const announced: [webhookId: string, letter: number, suppressed: number][] = [];
  const [errors, trouble] = [[] as Error[], {} as { error?: Error }];
  let suppressed = 0;
  let onTold = () => {};
  const letters = new DeadLetterThrottle<number>({
    announce: async (...each) => {
      if (trouble.error) throw trouble.error;
      announced.push(each);
      onTold();
    },
    onSuppressed: () => suppressed++,
    onError: (error) => errors.push(error),
    minuteMs,
  });
  const untilAnnounced = (count: number) =>
    new Promise<void>((resolve, reject) => {
      // The minute itself keeps no process alive.
      const late = setTimeout(() => reject(new Error(`${announced.length} were announced`)), 5_000);
      onTold = () => {
        if (announced.length < count) return;
        clearTimeout(late);
        resolve();
      };
      onTold();
    });
  return { letters, announced, errors, trouble, untilAnnounced, suppressed: () => suppressed };
}

describe("dead-letter events", () => {
  it("are ten a minute per webhook, for any number of dead letters", async () => {
    const { letters, announced, suppressed } = setup();
    for (let i = 0; i < 10_000; i++) await letters.add("a", i);
    await letters.add("b", 1);
    assert.deepEqual(
      announced.filter(([id]) => id === "a").map(([, letter]) => letter),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
    assert.deepEqual(announced.at(-1), ["b", 1, 0]);
    assert.equal(suppressed(), 9_990);
    await letters.stop();
    assert.deepEqual(announced.at(-1), ["a", 9_999, 9_989], "the last one stands for those that were left out");
  });

  it("report the number of omitted ones at the end of the minute, and start anew", async () => {
    const { letters, announced, untilAnnounced } = setup(50);
    for (let i = 0; i < 15; i++) await letters.add("a", i);
    await untilAnnounced(11);
    assert.deepEqual(announced[10], ["a", 14, 4]);
    await letters.add("a", 99);
    assert.deepEqual(announced[11], ["a", 99, 0]);
    await letters.stop();
    assert.equal(announced.length, 12);
  });

  it("delay nothing when they cannot be announced, and forget a removed webhook", async () => {
    const { letters, announced, errors, trouble } = setup();
    trouble.error = new Error("away");
    for (let i = 0; i < 12; i++) await letters.add("a", i);
    assert.equal(errors.length, 10);
    delete trouble.error;
    letters.forget("a");
    await letters.stop();
    assert.deepEqual(announced, []);
  });
});
