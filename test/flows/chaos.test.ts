/** A short `npm run chaos`: no acknowledged message is lost. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chaos } from "../chaos/chaos.ts";
import { toText } from "../chaos/report.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { seed } from "../support/seed.ts";

const LENGTH_MS = 7_000;
const MESSAGES = 900;

describe("two instances under random faults", requireOrSkip("mosquitto", "redis-server"), () => {
  it("lose nothing with Mosquitto and Redis", async (t) => {
    t.diagnostic(`seed ${seed}`);
    const faults = { lengthMs: LENGTH_MS, meanGapMs: 800, longestMs: 2_000 };
    const report = await chaos({
      seed,
      messages: MESSAGES,
      ...faults,
      patienceMs: 15_000,
      requestsPatienceMs: 2_000,
      progress: (line) => t.diagnostic(line),
    });
    for (const line of toText(report).split("\n")) t.diagnostic(line);
    assert.deepEqual(report.wrong, []);
    assert.ok(Object.keys(report.faults).length >= 3, "too few faults to show anything");
    const acknowledged = report.rows.filter(({ qos }) => qos > 0).map((row) => row.acknowledged);
    assert.deepEqual(acknowledged.slice(0, 2), [MESSAGES, MESSAGES / 10], "the devices' publishers come to their end");
  });
});
