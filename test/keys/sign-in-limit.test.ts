import assert from "node:assert/strict";
import { it } from "node:test";
import { SignInLimit } from "../../src/keys/sign-in-limit.ts";

function failTenTimes(address: string) {
  const clock = { ms: 0 };
  const limit = new SignInLimit(() => clock.ms);
  for (let i = 0; i < 10; i++) {
    assert.equal(limit.secondsUntil(address), undefined, `try ${i}`);
    limit.failed(address);
  }
  return { clock, limit };
}

it("ten wrong keys are free, each further one costs six seconds", () => {
  const { clock, limit } = failTenTimes("192.0.2.1");
  assert.equal(limit.secondsUntil("192.0.2.1"), 6);
  clock.ms += 5_999;
  assert.equal(limit.secondsUntil("192.0.2.1"), 6);
  clock.ms += 1;
  assert.equal(limit.secondsUntil("192.0.2.1"), undefined);
  limit.failed("192.0.2.1");
  assert.equal(limit.secondsUntil("192.0.2.1"), 6);
});

it("counts an IPv4 address in every notation, an IPv6 network, and text of a proxy as it is", () => {
  for (const [address, same, other] of [
    ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"],
    ["2001:db8:0:1::5", "2001:db8:0:1:ffff::9", "2001:db8:0:2::5"],
    ["unknown", "unknown", "other"],
  ] as const) {
    const { limit } = failTenTimes(address);
    assert.equal(limit.secondsUntil(same), 6);
    assert.equal(limit.secondsUntil(other), undefined);
  }
});

it("counts each hook apart", () => {
  const { limit } = failTenTimes("192.0.2.1");
  assert.equal(limit.secondsUntil("192.0.2.1", "hk_1"), undefined);
  for (let i = 0; i < 10; i++) limit.failed("192.0.2.1", "hk_1");
  assert.equal(limit.secondsUntil("192.0.2.1", "hk_1"), 6);
  assert.equal(limit.secondsUntil("192.0.2.1", "hk_2"), undefined);
});
