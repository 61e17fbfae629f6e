import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Problem } from "../../src/errors.ts";
import {
  type Allowance,
  type Caller,
  ROOT,
  requirePublish,
  requireRate,
  requireRead,
  SCOPES,
} from "../../src/keys/caller.ts";

const nobody: Caller = {
  id: "key_1",
  may: () => false,
  mayPublish: (topic) => topic === "mine",
  mayPublishAll: (filter) => filter === "mine",
  mayRead: (filter) => filter === "mine/#",
  take: () => undefined,
};

function refusal(act: () => unknown): Problem {
  try {
    act();
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  assert.fail("it was not refused");
}

describe("the checks of a caller", () => {
  it("name the topic and the field in a refusal", () => {
    requirePublish(nobody, "mine", "topic");
    const publish = refusal(() => requirePublish(nobody, "yours", "messages[1].topic"));
    const message = "the key may not publish to yours";
    assert.deepEqual([publish.code, publish.detail], ["forbidden_topic", message]);
    assert.deepEqual(publish.errors, [{ path: "messages[1].topic", message }]);

    requireRead(nobody, "mine/#", "topic");
    const read = refusal(() => requireRead(nobody, "#", "topics[0]"));
    assert.deepEqual([read.code, read.detail], ["forbidden_topic", "the key may not read #"]);
    assert.equal(read.errors?.[0]?.path, "topics[0]");
  });

  it("return what is left of the rate limit, or refuse with the time to wait", () => {
    const left: Allowance = { allowed: true, limit: 10, remaining: 3, resetSeconds: 7 };
    const asked: number[] = [];
    const take = (allowance: Allowance) => (count: number) => {
      asked.push(count);
      return allowance;
    };
    assert.equal(requireRate(nobody, 5), undefined);
    assert.equal(requireRate({ ...nobody, take: take(left) }, 5), left);
    const over = { ...nobody, take: take({ ...left, allowed: false }) };
    const refused = refusal(() => requireRate(over, 4));
    assert.deepEqual(refused.headers, {
      "ratelimit-limit": "10",
      "ratelimit-remaining": "3",
      "ratelimit-reset": "7",
      "retry-after": "7",
    });
    assert.match(refused.detail, /again in 7 s/);
    // Waiting does not help here, and the problem says so.
    assert.match(refusal(() => requireRate(over, 11)).detail, /11 at once are more than/);
    assert.deepEqual(asked, [5, 4, 11]);
  });

  it("allow the first key everything", () => {
    for (const scope of SCOPES) assert.ok(ROOT.may(scope));
    requirePublish(ROOT, "$SYS/a", "topic");
    requireRead(ROOT, "#", "topic");
    assert.equal(requireRate(ROOT, 1e9), undefined);
  });
});
