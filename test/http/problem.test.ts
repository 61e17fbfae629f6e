import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Refused, refuseField, refuseFields } from "../../src/errors.ts";
import { Problem, problemOf, unwrap, within } from "../../src/http/problem.ts";

describe("a refusal", () => {
  it("becomes a problem with its code, detail, fields and time to wait", () => {
    const refused = refuseField("payload_too_large", "payload", "is too long");
    assert.deepEqual(problemOf(refused).toJSON(), {
      type: "urn:causeway:problem:payload_too_large",
      title: "The payload is too large",
      status: 413,
      detail: "payload: is too long",
      code: "payload_too_large",
      errors: [{ path: "payload", message: "is too long" }],
    });
    const later = problemOf(new Refused("rate_limited", "later", { retryAfterSeconds: 10 }));
    assert.deepEqual([later.headers, later.errors], [{ "retry-after": "10" }, undefined]);
  });

  it("lists all fields, and is absent without any", () => {
    const errors = [
      { path: "", message: "is required" },
      { path: "url", message: "is not valid" },
    ];
    assert.equal(refuseFields(errors)?.detail, "body: is required; url: is not valid");
    assert.equal(refuseFields([]), undefined);
  });

  it("is thrown by unwrap, which returns every other outcome", () => {
    assert.equal(unwrap("value"), "value");
    assert.equal(unwrap(undefined), undefined);
    assert.throws(() => unwrap(new Refused("conflict", "no")), { code: "conflict", detail: "no", status: 409 });
  });
});

describe("the fields of a problem", () => {
  it("are named relative to the whole body", () => {
    for (const [path, expected] of [
      ["topic", "messages[3].topic"],
      ["", "messages[3]"],
      ["[0]", "messages[3][0]"],
    ]) {
      const problem = within("messages[3]", problemOf(refuseField("invalid_request", path!, "is wrong")));
      assert.deepEqual(problem.errors, [{ path: expected, message: "is wrong" }]);
      assert.equal(problem.detail, `${expected}: is wrong`);
    }
    const whole = new Problem("store_unavailable", "away");
    assert.equal(within("messages[3]", whole), whole);
  });
});
