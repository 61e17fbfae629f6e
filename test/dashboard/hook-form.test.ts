/** The form of a hook, the calls of the API that it becomes, and the command that calls a hook. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Hook } from "causeway-mqtt/client";
import { fieldErrors } from "../../dashboard/src/pages/hooks/field-errors.ts";
import { hookCommand } from "../../dashboard/src/pages/hooks/hook-command.ts";
import {
  callOf,
  draftOf,
  hooksLead,
  inputOf,
  NEW_HOOK,
  patchOf,
  previewInputOf,
} from "../../dashboard/src/pages/hooks/hook-form.ts";

const HOOK = {
  ...{ id: "hk_1", name: "github", topic: "gh/{body.r}", payload: null, qos: 1, retain: false },
  ...{ verify: { type: "github" }, methods: ["POST"], durable: true, rateLimit: { max: 5, perSeconds: 60 } },
} as unknown as Hook;

describe("the form of a hook", () => {
  it("registers what is typed", () => {
    const draft = { ...NEW_HOOK, name: " lamps ", topic: "lamps/{query.id}/set", payload: " query.state " };
    const settings = { name: "lamps", topic: "lamps/{query.id}/set", payload: "query.state", qos: 1, retain: false };
    assert.deepEqual(inputOf(draft), { ...settings, methods: ["POST"], durable: true, verify: { type: "none" } });
    const typed = { ...draft, verify: "hmac" as const, secret: "s", header: "X-Sig", rateMax: "5", username: "u" };
    assert.deepEqual(inputOf(typed).verify, {
      ...{ type: "hmac", secret: "s", header: "X-Sig", algorithm: "sha256", encoding: "hex" },
    });
    assert.deepEqual(inputOf(typed).rateLimit, { max: 5, perSeconds: 1 });
  });

  it("keeps the stored verification unless another one is chosen", () => {
    const draft = draftOf(HOOK);
    assert.equal(patchOf(HOOK, draft), undefined);
    assert.deepEqual(patchOf(HOOK, { ...draft, topic: "gh/all", rateMax: "" }), { topic: "gh/all", rateLimit: null });
    assert.deepEqual(patchOf(HOOK, { ...draft, verify: "none" }), { verify: { type: "none" } });
    const open = { ...HOOK, verify: { type: "none" } } as Hook;
    assert.equal(patchOf(open, draftOf(open)), undefined);
  });

  it("previews without a name and a secret that are not typed yet", () => {
    const draft = { ...NEW_HOOK, topic: "a", verify: "gitlab" as const };
    assert.equal(previewInputOf(draft).name, "preview");
    assert.equal(previewInputOf(draft).verify, undefined);
    assert.deepEqual(previewInputOf({ ...draft, secret: "s" }).verify, { type: "gitlab", secret: "s" });
  });

  it("tries a call with the text as it is typed", () => {
    const call = { method: "POST" as const, query: "id=7&state=on", headers: "X-Event: a: b\nbroken", body: "21.50" };
    assert.deepEqual(callOf(call), {
      method: "POST",
      query: { id: "7", state: "on" },
      headers: { "X-Event": "a: b", "content-type": "application/json" },
      body: "21.50",
    });
    assert.deepEqual(callOf({ ...call, headers: "Content-Type: text/csv" }).headers, { "Content-Type": "text/csv" });
    assert.deepEqual(callOf({ ...call, headers: "", body: "on" }).headers, {});
    assert.equal("body" in callOf({ ...call, body: "" }), false);
  });

  it("shows refusals at their fields", () => {
    const errors = [
      { path: "hook.topic", message: "has a { without its }" },
      { path: "verify.secret", message: "is required" },
    ];
    assert.deepEqual(fieldErrors(errors), { topic: "has a { without its }", secret: "is required" });
  });

  it("counts hooks, and those that are stopped", () => {
    assert.equal(hooksLead([], false), "No service calls this bridge yet.");
    assert.equal(hooksLead([{ state: "active" }], false), "1 hook, which takes calls.");
    assert.equal(hooksLead([{ state: "active" }, { state: "stopped" }], true), "More than 2 hooks, 1 stopped.");
  });
});

describe("the command that calls a hook", () => {
  const command = (verify: object, methods = ["POST"]) => hookCommand("http://h/in/t", { methods, verify } as Hook);
  const cases: [verify: object, methods: string[], expected: RegExp][] = [
    [{ type: "none" }, ["GET"], /^curl -X GET 'http:\/\/h\/in\/t'$/],
    [{ type: "none" }, ["GET", "POST"], /^BODY='.*'\ncurl -X POST [\s\S]*-d "\$BODY"$/],
    [{ type: "basic", username: "u" }, ["POST"], /-u 'u':"\$PASSWORD"$/],
    [{ type: "gitlab" }, ["POST"], /x-gitlab-token: \$SECRET/],
    [{ type: "github" }, ["POST"], /-hmac "\$SECRET" \| sed[\s\S]*x-hub-signature-256: sha256=\$SIGNATURE/],
    [
      { type: "hmac", header: "x-s", algorithm: "sha1", encoding: "base64", prefix: "v=" },
      ["POST"],
      /dgst -sha1 [\s\S]*-binary \| base64[\s\S]*"x-s: v=\$SIGNATURE"/,
    ],
    [{ type: "stripe" }, ["POST"], /^# stripe also signs the time/],
  ];
  for (const [verify, methods, expected] of cases) {
    it(`is right for ${JSON.stringify(verify)}, ${methods}`, () => assert.match(command(verify, methods), expected));
  }
});
