/** Readiness of the uplink on the receiving instance and on the others. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SubscriberSession } from "../../src/mqtt/receive/session.ts";
import { uplinkCheck } from "../../src/ops/status.ts";

type Status = SubscriberSession["status"];

const CONNECTED: Status = {
  clientId: "c-uplink-0",
  state: "connected",
  protocol: "5",
  error: undefined,
  wanted: 2,
  granted: 2,
  refused: [],
};

function check(name: string | undefined, here: boolean, inStep: boolean, ...statuses: Partial<Status>[]) {
  const sessions = statuses.map((status) => ({ status: { ...CONNECTED, ...status } }) as SubscriberSession);
  return uplinkCheck({ holder: { name, here }, sessions, inStep });
}

describe("the uplink check", () => {
  it("is ok where this instance receives the wanted filters", () => {
    assert.deepEqual(check("a", true, true, {}), { ok: true });
  });

  it("names the reason that keeps this instance from receiving", () => {
    for (const [detail, inStep, status] of [
      [/^c-uplink-0: refused$/, true, { state: "offline", error: "refused" }],
      [/^c-uplink-0: offline$/, true, { state: "offline" }],
      [/^c-uplink-0: a\/#: not authorised$/, true, { refused: [{ filter: "a/#", reason: "not authorised" }] }],
      [/^c-uplink-0: 1 of 2 filters/, true, { granted: 1 }],
      [/do not follow/, false, {}],
    ] as const) {
      const { ok, detail: said } = check("a", true, inStep, {}, status as Partial<Status>);
      assert.equal(ok, false);
      assert.match(said!, detail);
    }
    assert.equal(check("a", true, false).ok, false, "gained a moment ago, and no session yet");
  });

  it("is ok where another instance receives, and names it", () => {
    assert.deepEqual(check("b", false, false), { ok: true, detail: "held by b" });
  });

  it("is not ok where no receiver is known", () => {
    assert.deepEqual(check(undefined, false, false), { ok: false, detail: "no instance is known to receive" });
  });
});
