import assert from "node:assert/strict";
import { it } from "node:test";
import { createExplain } from "../../src/api/explain.ts";
import { OutboxFullError } from "../../src/downlink/stored-publish.ts";
import { BrokerQueryError } from "../../src/errors.ts";
import { ConflictError } from "../../src/store/record-cache.ts";

it("known errors of other parts have a problem, all others have none", () => {
  const outage = new Error("connection lost");
  const explain = createExplain((error) => error === outage);
  const shown = (error: unknown) => {
    const problem = explain(error);
    return problem && [problem.status, problem.code, problem.detail, problem.headers["retry-after"]];
  };
  assert.deepEqual(shown(new ConflictError("try again")), [409, "conflict", "try again", undefined]);
  assert.deepEqual(shown(new OutboxFullError("5 wait")), [429, "rate_limited", "5 wait", "1"]);
  assert.deepEqual(shown(outage), [503, "store_unavailable", "the store is unavailable", "1"]);
  const query = (kind: "unavailable" | "refused" | "busy") => shown(new BrokerQueryError(kind, "the reason"));
  assert.deepEqual(query("unavailable"), [503, "broker_unavailable", "the reason", "1"]);
  assert.deepEqual(query("refused"), [502, "broker_refused", "the reason", undefined]);
  assert.deepEqual(query("busy"), [429, "rate_limited", "the reason", "1"]);
  assert.equal(shown(new Error("other")), undefined);
});
