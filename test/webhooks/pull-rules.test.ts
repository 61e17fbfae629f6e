/** Rules of `type`. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkType, checkTypeChange } from "../../src/webhooks/pull-rules.ts";
import { DEFAULTS, type WebhookPatch } from "../../src/webhooks/webhook.ts";

const pathsOf = (refused: ReturnType<typeof checkType>) => refused?.errors?.map(({ path }) => path);

describe("the type of a webhook", () => {
  it("push needs a url, also as the default", () => {
    assert.deepEqual(pathsOf(checkType({ topics: ["a"] })), ["url"]);
    assert.deepEqual(pathsOf(checkType({ type: "push", topics: ["a"] })), ["url"]);
    assert.equal(checkType({ url: "https://example.com/", topics: ["a"] }), undefined);
  });

  it("pull accepts the defaults of calls", () => {
    assert.equal(checkType({ type: "pull", topics: ["a"], ...DEFAULTS, verify: false }), undefined);
  });

  for (const [field, value] of Object.entries({
    ...{ url: "https://example.com/", method: "PUT", mode: "binary", headers: { a: "b" }, concurrency: 11 },
    ...{ timeoutMs: 1_000, batch: { maxSize: 2 }, rateLimit: { max: 1, perSeconds: 1 }, ca: "PEM", replyTopic: "r" },
    ...{ auth: { type: "bearer", token: "t" }, verify: true },
  })) {
    it(`pull refuses ${field}, at the registration and in a change`, () => {
      const given = { [field]: value } as WebhookPatch;
      assert.deepEqual(pathsOf(checkType({ type: "pull", topics: ["a"], ...given })), [field]);
      assert.deepEqual(pathsOf(checkTypeChange({ type: "pull" }, given)), [field]);
      assert.equal(checkTypeChange({}, given), undefined);
    });
  }

  it("must not be changed", () => {
    assert.deepEqual(pathsOf(checkTypeChange({}, { type: "pull" })), ["type"]);
    assert.deepEqual(pathsOf(checkTypeChange({ type: "pull" }, { type: "push" })), ["type"]);
    assert.equal(checkTypeChange({}, { type: "push" }), undefined);
    assert.equal(checkTypeChange({ type: "pull" }, { type: "pull", name: "n" }), undefined);
  });
});
