/** A failed query to the broker becomes a Problem of the API. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { listRetained } from "../../src/downlink/retained-list.ts";
import { getRetained } from "../../src/downlink/topics.ts";
import { BrokerQueryError, Problem } from "../../src/errors.ts";

const FAILURES = {
  unavailable: ["broker_unavailable", "1"],
  refused: ["broker_refused", undefined],
  busy: ["rate_limited", "1"],
} as const;

describe("a query to the broker that fails", () => {
  for (const [kind, [code, retryAfter]] of Object.entries(FAILURES)) {
    const error = new BrokerQueryError(kind as keyof typeof FAILURES, "the reason");
    const fail = () => Promise.reject(error);
    const isProblem = (thrown: unknown) => {
      assert.ok(thrown instanceof Problem);
      assert.deepEqual([thrown.code, thrown.detail, thrown.headers["retry-after"]], [code, "the reason", retryAfter]);
      return true;
    };

    it(`${kind}: is ${code} when a topic is read`, async () => {
      await assert.rejects(getRetained("t", undefined, fail), isProblem);
    });

    it(`${kind}: is ${code} when topics are listed, in the search and while the messages are read`, async () => {
      const found = async () => ({ topics: ["t"], truncated: false });
      const check = () => {};
      // biome-ignore lint/correctness/useYield: it fails before the first message
      const readSeveral = async function* (): AsyncGenerator<never> {
        throw error;
      };
      const page = { filter: "t", limit: 1 };
      await assert.rejects(listRetained(page, { check, findRetained: fail, readSeveral }), isProblem);
      await assert.rejects(listRetained(page, { check, findRetained: found, readSeveral }), isProblem);
    });
  }

  it("stays what it is for any other error", async () => {
    const error = new Error("a defect");
    await assert.rejects(
      getRetained("t", undefined, () => Promise.reject(error)),
      error,
    );
  });
});
