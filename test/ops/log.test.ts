/** A line has an end, whatever a device puts into its topic. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { shortened } from "../../src/ops/log.ts";

describe("a line of the log that is too long", () => {
  it("keeps the beginning of its texts", () => {
    const topic = "\u0001".repeat(65_535);
    const line = shortened(`${JSON.stringify({ level: 30, topic, err: { stack: "a\n".repeat(9_000) }, msg: "m" })}\n`);
    assert.ok(line.endsWith("}\n") && line.length < 16 * 1024, `${line.length}`);
    assert.equal(line.split("\n").length, 2);
    const { topic: cut, err, ...rest } = JSON.parse(line);
    assert.equal(cut, `${topic.slice(0, 1_024)}…`);
    assert.equal(err.stack.length, 1_025);
    assert.deepEqual(rest, { level: 30, msg: "m", shortened: true });
  });

  it("does not end in half a character", () => {
    const line = shortened(JSON.stringify({ topic: `a${"👋".repeat(20_000)}` }));
    assert.ok(JSON.parse(line).topic.isWellFormed());
  });

  it("keeps what it is about when it has very many texts", () => {
    const line = shortened(JSON.stringify({ level: 40, time: "now", many: Array(5_000).fill("word"), msg: "m" }));
    assert.deepEqual(JSON.parse(line), { level: 40, time: "now", msg: "m", shortened: true });
  });
});
