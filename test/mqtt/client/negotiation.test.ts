import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ConnectAttempt, Negotiation } from "../../../src/mqtt/client/negotiation.ts";

const nothing: ConnectAttempt = { answered: false, transportFailed: false, refusedVersion: false };
const refused: ConnectAttempt = { ...nothing, answered: true, refusedVersion: true };
const silent = nothing;
const unreachable: ConnectAttempt = { ...nothing, transportFailed: true };
const wrongPassword: ConnectAttempt = { ...nothing, answered: true };

function after(...attempts: ConnectAttempt[]): Negotiation {
  const negotiation = new Negotiation("auto");
  for (const attempt of attempts) negotiation.failed(attempt);
  return negotiation;
}

describe("the version to try next", () => {
  for (const [what, attempts, version] of [
    ["nothing yet", [], 5],
    ["a refusal of MQTT 5", [refused], 4],
    ["one silence: it may be ours", [silent], 5],
    ["two silences", [silent, silent], 4],
    ["four silences", [silent, silent, silent, silent], 5],
    ["an outage, however long", [unreachable, unreachable, unreachable], 5],
    ["silences with an outage between them", [silent, unreachable, silent], 5],
    ["a wrong password", [wrongPassword, wrongPassword, wrongPassword], 5],
  ] as const) {
    it(`is ${version} after ${what}`, () => assert.equal(after(...attempts).version, version));
  }

  it("stays with a version that worked, through any outage", () => {
    const negotiation = after(refused);
    negotiation.accepted();
    for (const attempt of [silent, silent, silent, unreachable]) negotiation.failed(attempt);
    negotiation.lost();
    assert.equal(negotiation.version, 4);
    assert.equal(negotiation.proven, 4);
  });

  it("follows a broker that refuses a version it accepted before", () => {
    const negotiation = after(refused);
    negotiation.accepted();
    negotiation.failed(refused);
    assert.equal(negotiation.version, 5);
  });

  for (const [what, attempts] of [
    ["came and went", [silent, unreachable, silent, silent]],
    ["answered neither version for a while", [...Array(6).fill(silent)]],
  ] as const) {
    it(`asks for 5 again where 3.1.1 was found while the broker ${what}`, () => {
      const negotiation = after(...attempts);
      assert.equal(negotiation.version, 4);
      negotiation.accepted();
      negotiation.lost();
      assert.equal(negotiation.version, 5);
    });
  }

  it("is never other than the configured one", () => {
    const negotiation = new Negotiation("3.1.1");
    for (const attempt of [refused, silent, silent]) negotiation.failed(attempt);
    negotiation.lost();
    assert.equal(negotiation.version, 4);
  });
});

describe("a version detected by another connection", () => {
  it("is tried first", () => {
    assert.equal(new Negotiation("auto", "3.1.1").version, 4);
    assert.equal(new Negotiation("auto", "5").version, 5);
    assert.equal(new Negotiation("auto", undefined).version, 5);
  });

  it("yields to the configured one", () => {
    assert.equal(new Negotiation("5", "3.1.1").version, 5);
    assert.equal(new Negotiation("3.1.1", "5").version, 4);
  });

  it("is abandoned when the broker refuses it", () => {
    const negotiation = new Negotiation("auto", "3.1.1");
    negotiation.failed(refused);
    assert.equal(negotiation.version, 5);
  });

  it("may be uncertain: 5 is tried after the connection is lost", () => {
    const negotiation = new Negotiation("auto", "3.1.1");
    negotiation.accepted();
    negotiation.lost();
    assert.equal(negotiation.version, 5);
    negotiation.failed(refused);
    assert.equal(negotiation.version, 4);
    negotiation.accepted();
    negotiation.lost();
    assert.equal(negotiation.version, 4, "it is sure by now");
  });
});
