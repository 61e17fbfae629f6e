/** Rotation of a signing secret, and pause and resume of a webhook, as a receiver observes them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Webhook } from "standardwebhooks";
import { eventually } from "../support/eventually.ts";
import type { ReceivedCall } from "../support/receiver.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { embedded, scenario } from "../support/scenario.ts";

const VERIFIER = fileURLToPath(new URL("../support/verify_webhook.py", import.meta.url));
/** Debian's Python, with only its standard library. */
const PYTHON = "/usr/bin/python3";
const needsPython = requireOrSkip(PYTHON);

describe("a webhook in use", () => {
  const world = scenario(embedded);

  const register = (path: string, more: object = {}) =>
    world.bridge.register({ url: `${world.receiver.url}/${path}`, topics: [path], ...more });
  const publish = (topic: string, payload = "1") =>
    world.bridge.api("PUT", `/v1/topics/${topic}`, payload, { "content-type": "text/plain" });
  const calls = (path: string) => world.receiver.attempts.filter((call) => call.path === `/${path}`);
  const send = async (path: string): Promise<ReceivedCall> => {
    const before = calls(path).length;
    await publish(path, `${before}`);
    await world.receiver.until(() => calls(path).length > before);
    return calls(path).at(-1)!;
  };
  const isSigned = ({ body, headers }: ReceivedCall, secret: string): boolean => {
    try {
      new Webhook(secret).verify(body, headers as Record<string, string>);
      return true;
    } catch {
      return false;
    }
  };
  const isSignedForPython = ({ body, headers }: ReceivedCall, secret: string): boolean => {
    const input = JSON.stringify({ secret, headers, body: body.toString("base64") });
    const { status, error } = spawnSync(PYTHON, [VERIFIER], { input });
    assert.equal(error, undefined);
    return status === 0;
  };
  const rotate = async (id: string, body?: object) => {
    const answer = await world.bridge.api("POST", `/v1/webhooks/${id}/rotate-secret`, body);
    assert.equal(answer.status, 200, answer.bytes.toString());
    return answer.body;
  };
  const get = async (id: string) => (await world.bridge.api("GET", `/v1/webhooks/${id}`)).body;

  it("is signed with both secrets during the grace period, and then with the new one", needsPython, async () => {
    const { id, secret: old } = await register("rotated");
    assert.ok(isSigned(await send("rotated"), old));
    const { secret, oldSecretUntil } = await rotate(id, { graceSeconds: 5 });
    assert.notEqual(secret, old);
    assert.equal((await get(id)).oldSecretUntil, oldSecretUntil);
    const both = await send("rotated");
    for (const verify of [isSigned, isSignedForPython]) {
      assert.ok(verify(both, secret) && verify(both, old), verify.name);
    }
    const [first] = String(both.headers["webhook-signature"]).split(" ");
    const onlyFirst = { ...both, headers: { ...both.headers, "webhook-signature": first } };
    assert.ok(isSigned(onlyFirst, secret), "the new one first");

    await delay(Date.parse(oldSecretUntil) - Date.now() + 1);
    const later = await send("rotated");
    for (const verify of [isSigned, isSignedForPython]) {
      assert.ok(verify(later, secret) && !verify(later, old), verify.name);
    }
    assert.equal("oldSecretUntil" in (await get(id)), false);
  });

  it("has a day of grace by default, and accepts a secret from the caller", async () => {
    const { id, secret: old } = await register("own");
    const mine = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const { secret, oldSecretUntil } = await rotate(id, { secret: mine });
    assert.equal(secret, mine);
    const seconds = (Date.parse(oldSecretUntil) - Date.now()) / 1_000;
    assert.ok(seconds > 86_390 && seconds <= 86_400, `${seconds} s`);
    const call = await send("own");
    assert.ok(isSigned(call, mine) && isSigned(call, old));

    const again = await rotate(id);
    const third = await send("own");
    assert.deepEqual(
      [old, mine, again.secret].map((each) => isSigned(third, each)),
      [false, true, true],
      "two at a time",
    );
  });

  it("has no grace period if it is set to zero", async () => {
    const { id, secret: old } = await register("at-once");
    const { secret, ...shown } = await rotate(id, { graceSeconds: 0 });
    assert.equal("oldSecretUntil" in shown, false);
    const call = await send("at-once");
    assert.deepEqual([isSigned(call, secret), isSigned(call, old)], [true, false]);

    const patched = await rotate(id);
    const mine = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    assert.equal((await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { secret: mine })).status, 200);
    const last = await send("at-once");
    assert.deepEqual(
      [mine, patched.secret, secret].map((each) => isSigned(last, each)),
      [true, false, false],
    );
  });

  it("names the errors of a rotation", async () => {
    const { id } = await register("refused");
    for (const [body, path] of [
      [{ graceSeconds: -1 }, "graceSeconds"],
      [{ graceSeconds: 604_801 }, "graceSeconds"],
      [{ secret: "whsec_short" }, "secret"],
      [{ grace: 1 }, "grace"],
    ] as const) {
      const answer = await world.bridge.api("POST", `/v1/webhooks/${id}/rotate-secret`, body);
      assert.deepEqual([answer.status, answer.body.errors?.[0].path], [400, path], JSON.stringify(body));
    }
    assert.equal((await world.bridge.api("POST", "/v1/webhooks/wh_none/rotate-secret")).status, 404);
  });

  it("is paused and resumed, and enabled again after a 410", async () => {
    const { id } = await register("paused");
    const paused = await world.bridge.api("POST", `/v1/webhooks/${id}/pause`);
    assert.deepEqual([paused.status, paused.body.state, paused.body.enabled], [200, "paused", false]);
    await publish("paused", "while paused");
    const other = await register("other");
    await send("other");
    assert.equal(calls("paused").length, 0);

    const resumed = await world.bridge.api("POST", `/v1/webhooks/${id}/resume`);
    assert.deepEqual([resumed.status, resumed.body.state], [200, "active"]);
    await world.receiver.until(() => calls("paused").length === 1);

    world.receiver.answer = ({ path }) => (path === "/other" ? 410 : 204);
    await send("other");
    await eventually(
      () => get(other.id),
      ({ state }) => state === "disabled",
    );
    world.receiver.answer = () => 204;
    const back = await world.bridge.api("POST", `/v1/webhooks/${other.id}/resume`);
    assert.deepEqual([back.body.state, "disabled" in back.body], ["active", false]);
    await world.receiver.until((delivered) => delivered.filter(({ path }) => path === "/other").length === 2);
  });

  it("is not shown as failing once it is resumed", async () => {
    world.receiver.answer = ({ path }) => (path === "/failing" ? 500 : 204);
    const { id } = await register("failing", { retry: { scheduleSeconds: [] } });
    for (let i = 0; i < 10; i++) await send("failing");
    await eventually(
      () => get(id),
      ({ state }) => state === "failing",
    );
    const { body } = await world.bridge.api("POST", `/v1/webhooks/${id}/resume`);
    assert.equal(body.state, "active");
  });
});
