import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AGAIN, retryForever } from "../../src/lib/retry-forever.ts";

const backoff = { firstMs: 1, maxMs: 2 };

/** An operation with these results, one for each attempt; errors are thrown. */
function operation<T>(...results: T[]): () => Promise<T> {
  const left = results.values();
  return async () => {
    const { value, done } = left.next();
    assert.ok(!done, "no attempt follows the last result");
    if (value instanceof Error) throw value;
    return value;
  };
}

describe("retrying forever", () => {
  it("repeats failed and unfinished attempts until one succeeds, and reports only the failures", async () => {
    const failures: unknown[] = [];
    const [first, second] = [new Error("first"), new Error("second")];
    const results = operation<unknown>(first, AGAIN, second, "done");
    assert.equal(await retryForever(results, { backoff, onError: (error) => failures.push(error) }), "done");
    assert.deepEqual(failures, [first, second]);
  });

  it("pauses after each attempt, longer each time, up to the maximum", async () => {
    const startedAt = performance.now();
    await retryForever(operation<unknown>(AGAIN, AGAIN, AGAIN, "done"), { backoff: { firstMs: 20, maxMs: 40 } });
    // A timer may fire a millisecond early.
    assert.ok(performance.now() - startedAt >= 20 + 40 + 40 - 3);
  });

  it("ends with the error that the handler throws", async () => {
    const onError = (error: unknown) => {
      if ((error as Error).message === "for good") throw error;
    };
    const results = operation(new Error("for now"), new Error("for good"));
    await assert.rejects(retryForever(results, { backoff, onError }), /for good/);
  });

  it("ends a pause when the signal aborts, and makes no further attempt", { timeout: 10_000 }, async () => {
    const stop = new AbortController();
    const hour = { firstMs: 3_600_000, maxMs: 3_600_000 };
    const onError = () => void setImmediate(() => stop.abort());
    const retried = retryForever(operation(new Error("failed")), { backoff: hour, signal: stop.signal, onError });
    await assert.rejects(retried, { name: "AbortError" });
    await assert.rejects(retryForever(operation(), { backoff, signal: stop.signal }), { name: "AbortError" });
  });

  it("returns the result of an attempt that was in progress when the signal aborted", async () => {
    const stop = new AbortController();
    const attempt = async () => {
      stop.abort();
      return "done";
    };
    assert.equal(await retryForever(attempt, { backoff, signal: stop.signal }), "done");
  });
});
