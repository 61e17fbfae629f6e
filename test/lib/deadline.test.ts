import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { withDeadline } from "../../src/lib/deadline.ts";

const late = () => new Error("too late");

describe("a deadline", () => {
  it("passes on a result and a failure, and leaves no timer", async () => {
    const before = process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    assert.equal(await withDeadline(Promise.resolve(1), 60_000, late), 1);
    await assert.rejects(withDeadline(Promise.reject(new Error("broken")), 60_000, late), /broken/);
    assert.equal(process.getActiveResourcesInfo().filter((name) => name === "Timeout").length, before);
  });

  it("rejects when the time is over, and ignores a later failure", async () => {
    let fail: (error: Error) => void = () => undefined;
    const work = new Promise<never>((_, reject) => (fail = reject));
    await assert.rejects(withDeadline(work, 1, late), /too late/);
    fail(new Error("nothing waits for this"));
    await new Promise(setImmediate);
  });
});
