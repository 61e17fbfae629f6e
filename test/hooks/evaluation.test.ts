/** Evaluation of the expressions of hooks: limits, and rate limits that follow a change. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Refused } from "../../src/errors.ts";
import { type Evaluate, HookExpressions } from "../../src/hooks/evaluation.ts";
import { newHook } from "../../src/hooks/hook.ts";
import { HookLimits } from "../../src/hooks/limits.ts";
import { parseTopic, type TopicTemplate } from "../../src/hooks/template.ts";

const hook = newHook({ name: "h", topic: "a/{b}" }, { type: "none" }, "root", new Date());
const template = parseTopic(hook.topic) as TopicTemplate;
const answer = (result: Awaited<ReturnType<Evaluate>>) => new HookExpressions(async () => result);

describe("the expressions of a hook", () => {
  const refused: [reason: string, result: Awaited<ReturnType<Evaluate>>, code: string, detail: RegExp][] = [
    ["that fail", { kind: "failed" }, "expression_failed", /cannot be evaluated/],
    ["that take too long", { kind: "failed", slow: true }, "expression_failed", /too long/],
    ["that the sandbox refuses", { kind: "refused", detail: "needle" }, "rate_limited", /too often/],
  ];
  for (const [reason, result, code, detail] of refused)
    it(`are refused: those ${reason}`, async () => {
      const found = await answer(result).of(hook, template, () => "{}");
      assert.ok(found instanceof Refused);
      assert.equal(found.code, code);
      assert.match(found.detail, detail);
      assert.doesNotMatch(found.detail, /needle/);
    });

  it("wait for 64 calls at most, for each hook", async () => {
    const waiting: (() => void)[] = [];
    const expressions = new HookExpressions(
      () => new Promise((resolve) => waiting.push(() => resolve({ kind: "kept", data: '{"topic0":"x"}' }))),
    );
    const start = (id = hook.id) => expressions.of({ ...hook, id }, template, () => "{}");
    const calls = Array.from({ length: 64 }, () => start());
    const refusal = await start();
    assert.ok(refusal instanceof Refused && refusal.code === "rate_limited");
    const other = start("hk_other");
    for (const resolve of waiting.splice(0)) resolve();
    for (const result of await Promise.all([...calls, other])) assert.deepEqual(result, { topic: "a/x" });
    const next = start();
    waiting[0]!();
    assert.deepEqual(await next, { topic: "a/x" });
  });

  it("are not evaluated where there are none, and the document is not made", async () => {
    const expressions = new HookExpressions(() => assert.fail());
    const plain = { ...hook, topic: "a/b" };
    const found = await expressions.of(plain, parseTopic("a/b") as TopicTemplate, () => assert.fail());
    assert.deepEqual(found, { topic: "a/b" });
  });
});

describe("the rate limit of a hook", () => {
  it("keeps its state until it is changed", () => {
    const limits = new HookLimits(() => 0);
    const of = (max: number) => limits.of({ ...hook, rateLimit: { max, perSeconds: 1 } })!.take(1).allowed;
    assert.deepEqual([of(1), of(1), of(2), of(2), of(2)], [true, false, true, true, false]);
    assert.equal(limits.of(hook), undefined);
  });
});
