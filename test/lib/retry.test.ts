import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { retryForever } from "../../src/lib/retry.ts";

describe("retryForever", () => {
  /** Fails `times` times, then returns the number of calls. */
  const failing = (times: number) => {
    let calls = 0;
    return async () => {
      if (++calls <= times) throw new Error(`failure ${calls}`);
      return calls;
    };
  };

  it("repeats the work until it succeeds, and reports each failure", async () => {
    const errors: unknown[] = [];
    const options = { firstMs: 1, maxMs: 2, onError: (error: unknown) => errors.push(error) };
    // A pause does not keep the process alive; the test must.
    const alive = setInterval(() => undefined, 1_000);
    assert.equal(await retryForever(failing(3), options), 4);
    clearInterval(alive);
    assert.deepEqual(errors.map(String), ["Error: failure 1", "Error: failure 2", "Error: failure 3"]);
  });

  it("ends when it is stopped", async () => {
    let stopped = false;
    const onError = () => (stopped = true);
    const alive = setInterval(() => undefined, 1_000);
    const result = await retryForever(failing(9), { firstMs: 1, maxMs: 1, onError, isStopped: () => stopped });
    clearInterval(alive);
    assert.equal(result, undefined);
    assert.equal(await retryForever(failing(0), { firstMs: 1, maxMs: 1, isStopped: () => true }), undefined);
  });

  it("rejects when its signal ends a pause", async () => {
    const abort = new AbortController();
    const onError = () => abort.abort();
    const options = { firstMs: 60_000, maxMs: 60_000, onError, signal: abort.signal };
    await assert.rejects(retryForever(failing(1), options), { name: "AbortError" });
  });
});
