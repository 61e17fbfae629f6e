/** The order in which parts start and stop, and parts that fail or hang. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Closing, type Part } from "../../src/process/shutdown.ts";

function makeClosing() {
  const calls: string[] = [];
  const warnings: object[] = [];
  const log = { info() {}, error() {}, warn: (fields: object) => void warnings.push(fields) };
  const part = (name: string, more: Partial<Part> = {}): Part => ({
    name,
    start: async () => void calls.push(`start ${name}`),
    stop: async () => void calls.push(`stop ${name}`),
    ms: 1_000,
    ...more,
  });
  return { closing: new Closing(log), calls, warnings, part };
}

describe("the parts of a process", () => {
  it("start one after the other, and stop in reverse order, once", async () => {
    const { closing, calls, part } = makeClosing();
    closing.add(part("opened"));
    await closing.start([part("a"), { name: "begun", start: () => void calls.push("start begun") }, part("b")]);
    assert.deepEqual(closing.open, ["opened", "a", "b"], "what needs no stop is not open");
    assert.equal(closing.isClosing(), false);
    await Promise.all([closing.closeAll(), closing.closeAll()]);
    assert.equal(closing.isClosing(), true);
    assert.deepEqual(calls, ["start a", "start begun", "start b", "stop b", "stop a", "stop opened"]);
  });

  it("are stopped if one of them fails to start: those before it, and the half-open one itself", async () => {
    const { closing, calls, part } = makeClosing();
    const failing = part("b", { start: () => Promise.reject(new Error("no port")) });
    await assert.rejects(closing.start([part("a"), failing, part("c")]), /no port/);
    await closing.closeAll();
    assert.deepEqual(calls, ["start a", "stop b", "stop a"]);
  });

  it("are stopped although another one fails or hangs", async () => {
    const { closing, calls, warnings, part } = makeClosing();
    await closing.start([
      part("last"),
      part("hangs", { stop: () => new Promise(() => {}), ms: 20 }),
      part("rejects", { stop: () => Promise.reject(new Error("away")) }),
      {
        name: "throws",
        stop: () => {
          throw new Error("broken");
        },
      },
    ]);
    calls.length = 0;
    await closing.closeAll();
    assert.deepEqual(calls, ["stop last"]);
    assert.deepEqual(warnings, [
      { part: "throws", error: "broken" },
      { part: "rejects", error: "away" },
      { part: "hangs", error: "not closed within 20 ms" },
    ]);
  });
});
