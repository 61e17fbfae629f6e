/** Health of one endpoint: stored records, permitted calls and announced events. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Admission, Called } from "../../../src/uplink/health/endpoint-health.ts";
import { newSecret } from "../../../src/uplink/request/signature.ts";
import { DEFAULTS, type Webhook } from "../../../src/webhooks/webhook.ts";
import { testHealth } from "./health-records-support.ts";

const webhook: Webhook = {
  ...{ ...DEFAULTS, retry: { scheduleSeconds: [] }, id: "wh_1", url: "https://example.com/", topics: ["t"] },
  ...{ secret: newSecret(), createdAt: "", updatedAt: "" },
};
const CALL: Admission = { kind: "call" };
const ok: Called = { health: "success", decision: { kind: "delivered" } };
const bad: Called = { health: "failure", decision: { kind: "retryAt", delayMs: 1, slowDown: false } };
const slow: Called = { health: "failure", decision: { kind: "retryAt", delayMs: 1, slowDown: true } };
const busy: Called = { health: "neutral", decision: { kind: "throttled", delayMs: 7_000 } };
const gone: Called = { health: "neutral", decision: { kind: "gone" } };
const DAY_MS = 24 * 3_600_000;

function setup(registered: { now?: Webhook } = { now: webhook }) {
  const test = testHealth(() => registered.now);
  const { health } = test;
  const settle = (called: Called, admitted = CALL) => health.settle(webhook, admitted, called);
  const fail = async (times: number) => {
    for (let i = 0; i < times; i++) await settle(bad);
  };
  const types = () => test.announced.map(({ type }) => type);
  /** Advances the clock until the next probe may pass, and sends it. */
  const probe = async (called: Called) => {
    test.clock.now = Math.max(test.clock.now, test.records.get("wh_1")!.openUntil);
    const admitted = await health.admit(webhook);
    assert.equal(admitted.kind, "probe");
    return settle(called, admitted);
  };
  return { ...test, settle, fail, types, probe, registered };
}

describe("the health of an endpoint", () => {
  it("is not stored while the endpoint is healthy or fails occasionally", async () => {
    const { settle, fail, records } = setup();
    for (let i = 0; i < 50; i++) {
      await fail(9);
      await settle(ok);
    }
    assert.equal(records.writes, 0);
  });

  it("opens at the tenth consecutive failure, is announced once, and permits no call", async () => {
    const { fail, settle, health, types, announced, records, clock } = setup();
    const since = clock.now;
    await fail(9);
    assert.deepEqual(await health.admit(webhook), CALL);
    clock.now += 1_000;
    assert.equal(await settle(bad), 30_000);
    assert.deepEqual(await health.admit(webhook), { kind: "wait", ms: 30_000 });
    assert.equal(health.failingSince("wh_1"), since);
    assert.equal(health.nextProbeAt("wh_1"), clock.now + 30_000);
    assert.equal(health.failing, 1);
    const [notice] = announced;
    assert.deepEqual(
      { ...notice, id: "" },
      {
        id: "",
        type: "webhook.failing",
        at: since + 1_000,
        reason: "the last 10 attempts failed",
        failingSince: since,
      },
    );
    // Calls that were in progress at that time change nothing, whatever their result.
    await fail(20);
    await settle(ok);
    assert.deepEqual(types(), ["webhook.failing"]);
    assert.equal(records.get("wh_1")?.openings, 1);
  });

  it("lets one probe pass, for any number of callers", async () => {
    const { fail, health, clock } = setup();
    await fail(10);
    clock.now += 30_000;
    const admitted = await Promise.all(Array.from({ length: 20 }, () => health.admit(webhook)));
    const count = (kind: Admission["kind"]) => admitted.filter((each) => each.kind === kind).length;
    assert.deepEqual([count("probe"), count("wait"), count("call")], [1, 19, 0]);
    clock.now += webhook.timeoutMs + 15_000;
    assert.equal((await health.admit(webhook)).kind, "probe", "one that was lost holds nobody up for ever");
  });

  it("doubles the wait after each failed probe, and closes after a successful one", async () => {
    const { fail, probe, health, types, records } = setup();
    await fail(10);
    assert.deepEqual([await probe(bad), await probe(bad), await probe(bad)], [60_000, 120_000, 240_000]);
    assert.deepEqual(types(), ["webhook.failing"], "that it goes on is no news");
    assert.equal(await probe(ok), 0);
    assert.deepEqual(types(), ["webhook.failing", "webhook.recovered"]);
    assert.equal(records.get("wh_1"), undefined);
    assert.deepEqual(await health.admit(webhook), CALL);
    await fail(10);
    assert.equal(await probe(bad), 60_000, "from the beginning");
  });

  it("treats Retry-After as a wait and not as a failure", async () => {
    const { settle, fail, probe, health, types } = setup();
    for (let i = 0; i < 20; i++) assert.equal(await settle(busy), 7_000);
    assert.deepEqual(types(), []);
    await fail(10);
    assert.equal(await probe(busy), 7_000);
    assert.deepEqual(await health.admit(webhook), { kind: "wait", ms: 7_000 });
    assert.equal(await probe(bad), 60_000);
  });

  it("slows an overloaded endpoint down before the breaker opens", async () => {
    const { settle } = setup();
    const rests: number[] = [];
    for (let i = 0; i < 10; i++) rests.push(await settle(slow));
    assert.deepEqual(rests, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000]);
  });

  it("stores a lasting run of failures, so that a restart does not end it", async () => {
    const { fail, settle, records, clock, types } = setup();
    await fail(3);
    clock.now += 60_000;
    await fail(1);
    assert.deepEqual([records.get("wh_1")?.failures, records.get("wh_1")?.openings], [4, 0]);
    await fail(1);
    assert.equal(records.get("wh_1")?.failures, 5);
    await settle(ok);
    assert.equal(records.get("wh_1"), undefined);
    assert.deepEqual(types(), []);
  });

  it("disables the webhook after five days of failures only", async () => {
    const { fail, probe, disabled, announced, records, clock } = setup();
    await fail(10);
    clock.now += 5 * DAY_MS - 1;
    await probe(bad);
    assert.deepEqual(disabled, []);
    await probe(bad);
    assert.deepEqual(disabled, ["every attempt failed for 5 days"]);
    assert.deepEqual(
      announced.map(({ type, reason }) => [type, reason]),
      [
        ["webhook.failing", "the last 10 attempts failed"],
        ["webhook.disabled", "every attempt failed for 5 days"],
      ],
    );
    assert.equal(records.get("wh_1"), undefined);
  });

  it("disables the webhook on 410 and announces it once, although ten calls get that response", async () => {
    const { settle, types, disabled, records } = setup();
    await Promise.all(Array.from({ length: 10 }, () => settle(gone)));
    assert.deepEqual(types(), ["webhook.disabled"]);
    assert.deepEqual(disabled, ["the endpoint answered 410 Gone"]);
    assert.equal(records.get("wh_1"), undefined);
  });

  it("announces only the event that disabled it, also from an instance that has not learned of it yet", async () => {
    const { settle, types, transitions, disabled, records, clock } = setup();
    await settle(gone);
    clock.now += 1;
    await settle(gone);
    assert.deepEqual([types(), transitions], [["webhook.disabled"], ["webhook.disabled"]]);
    assert.equal(disabled.length, 1);
    assert.equal(records.get("wh_1"), undefined);
  });

  it("announces the disabling later if it could be stored but not announced", async () => {
    const { settle, health, types, trouble, records, clock } = setup();
    trouble.error = new Error("the store is away");
    await settle(gone);
    assert.deepEqual(types(), []);
    assert.equal(records.get("wh_1")?.notices.length, 1);
    delete trouble.error;
    clock.now += 60_000;
    health.start();
    health.stop();
    while (records.get("wh_1")) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(types(), ["webhook.disabled"]);
  });

  it("starts anew after a reset, and a change of the registration ends the run of failures", async () => {
    const { fail, health, records, types } = setup();
    await fail(10);
    await health.reset("wh_1");
    assert.equal(records.get("wh_1"), undefined);
    assert.deepEqual(await health.admit(webhook), CALL);
    await fail(9);
    health.changed("wh_1");
    await fail(9);
    assert.deepEqual(types(), ["webhook.failing"]);
  });

  it("leaves nothing behind when the webhook is removed, even if calls end later", async () => {
    const { fail, health, records, registered } = setup();
    await fail(10);
    registered.now = undefined;
    health.changed("wh_1");
    await fail(30);
    assert.equal(records.records.size, 0);
  });

  it("announces an event later, with the same id, if it could not be announced at once", async () => {
    const { fail, health, trouble, announced, records, clock, errors } = setup();
    trouble.error = new Error("the store is away");
    await fail(10);
    assert.equal(errors.length, 1);
    const [notice] = records.get("wh_1")!.notices;
    delete trouble.error;
    clock.now += 11_000;
    health.start();
    health.stop();
    while (records.get("wh_1")!.notices.length > 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(announced, [notice]);
    assert.equal(health.isOpen("wh_1"), true);
  });

  it("makes calls wait while the store is away, but not those of healthy endpoints", async () => {
    const { fail, health, records, clock, errors } = setup();
    await fail(10);
    clock.now += 30_000;
    records.read = () => Promise.reject(new Error("away"));
    assert.deepEqual(await health.admit(webhook), { kind: "wait", ms: 1_000 });
    assert.equal(errors.length, 1);
    assert.deepEqual(await health.admit({ ...webhook, id: "wh_2" }), CALL);
  });
});
