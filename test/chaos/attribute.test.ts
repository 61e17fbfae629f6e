/** Attribution of losses and duplicates: to the bridge, unless the witness saw that the broker forgot. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type BrokerKill, lossesOf, sentAgainByBroker, UNWRITTEN_MS } from "./attribute.ts";
import { Ledger } from "./ledger.ts";
import type { Passage } from "./witness.ts";

/** The broker runs until 1,000, from 1,500 to 5,000, and from 6,000 on. */
const KILLS: BrokerKill[] = [
  { from: 1_000, until: 1_500 },
  { from: 5_000, until: 6_000 },
];

/** Parses `packet 7@100 on 50`: a packet with identifier 7 that passed at 100, on a connection made at 50. */
function passed(...lines: string[]): Passage[] {
  return lines.map((line) => {
    const [, cmd, packetId, at, connectedAt] = /^(\w+) (\d+)@(\d+) on (\d+)$/.exec(line)!;
    const numbers = { packetId: Number(packetId), at: Number(at), connectedAt: Number(connectedAt) };
    return { cmd: cmd as Passage["cmd"], ...numbers };
  });
}

function losses(direction: "up" | "down", qos: 1 | 2, takenAt: number | undefined, passages: Passage[], kills = KILLS) {
  const ledger = new Ledger(direction, qos);
  ledger.acknowledged.add(0);
  if (takenAt !== undefined) ledger.takenAt.set(0, takenAt);
  return lossesOf(ledger, { passages: (payload) => (payload === ledger.payload(0) ? passages : []), kills });
}

const LOST = { lost: [0], lostByBroker: [] };
const byBroker = (ageMs: number) => ({ lost: [], lostByBroker: [{ number: 0, ageMs }] });

describe("a message from a device that was acknowledged and did not arrive", () => {
  it("is the bridge's loss when a bridge had acknowledged it, whatever happened to the broker afterwards", () => {
    assert.deepEqual(losses("up", 1, 900, passed("publish 1@910 on 5", "puback 1@920 on 5")), LOST);
    assert.deepEqual(losses("up", 2, 900, passed("publish 1@910 on 5", "pubrec 1@920 on 5")), LOST);
    const later = passed("publish 1@910 on 5", "publish 1@1600 on 1550", "puback 1@1700 on 1550");
    assert.deepEqual(losses("up", 1, 900, later), LOST);
  });

  it("is the broker's loss when no bridge had, and the broker was killed right then", () => {
    assert.deepEqual(losses("up", 1, 990, []), byBroker(10));
    assert.deepEqual(losses("up", 2, 990, passed("publish 1@995 on 5")), byBroker(10));
    assert.deepEqual(losses("up", 1, 4_900, []), byBroker(100));
  });

  it("is the broker's loss when it was in flight to a bridge, however long, in the run that was killed", () => {
    assert.deepEqual(losses("up", 1, 2_000, passed("publish 1@2010 on 1600")), byBroker(3_000));
    assert.deepEqual(losses("up", 1, 900, passed("publish 1@910 on 5", "publish 1@1610 on 1600")), byBroker(100));
  });

  it("is the bridge's loss when it was sent to a bridge in a run that was not killed", () => {
    assert.deepEqual(losses("up", 1, 2_000, passed("publish 1@2010 on 1600", "publish 1@6100 on 6050")), LOST);
  });

  it("is the broker's loss when its PUBACK arrived after the SIGKILL and before the next start", () => {
    assert.deepEqual(losses("up", 1, 1_003, []), byBroker(0));
  });

  it("is the bridge's loss when the broker was not killed, or long after, or before", () => {
    assert.deepEqual(losses("up", 1, 990, [], []), LOST);
    assert.deepEqual(losses("up", 1, 5_000 - UNWRITTEN_MS - 1, []), LOST);
    assert.deepEqual(losses("up", 1, 6_001, []), LOST);
  });

  it("is the bridge's loss without evidence of an acknowledgement", () => {
    assert.deepEqual(losses("up", 1, undefined, []), LOST);
  });

  it("is no loss when it arrived, or was never acknowledged", () => {
    const ledger = new Ledger("up", 1);
    ledger.acknowledged.add(0);
    ledger.arrived(0, { at: 1 });
    ledger.takenAt.set(1, 990);
    assert.deepEqual(lossesOf(ledger, { passages: () => [], kills: KILLS }), { lost: [], lostByBroker: [] });
  });
});

describe("a message to a device that was accepted and did not arrive", () => {
  it("is the bridge's loss until the broker has acknowledged it in full", () => {
    assert.deepEqual(losses("down", 1, undefined, []), LOST);
    assert.deepEqual(losses("down", 1, undefined, passed("publish 1@990 on 5")), LOST);
    assert.deepEqual(losses("down", 2, undefined, passed("publish 1@980 on 5", "pubrec 1@990 on 5")), LOST);
  });

  it("is the broker's loss when it had acknowledged it and was killed right then", () => {
    assert.deepEqual(losses("down", 1, undefined, passed("publish 1@980 on 5", "puback 1@990 on 5")), byBroker(10));
    const ended = ["publish 1@980 on 5", "pubrec 1@990 on 5", "pubrel 1@1600 on 1550", "pubcomp 1@1610 on 1550"];
    assert.deepEqual(losses("down", 2, undefined, passed(...ended)), byBroker(10));
  });

  it("is the broker's loss when the acknowledgement passed late, from a run that was killed", () => {
    assert.deepEqual(losses("down", 1, undefined, passed("publish 1@980 on 5", "puback 1@1700 on 5")), byBroker(0));
  });

  it("is the bridge's loss when the broker was not killed after it", () => {
    assert.deepEqual(losses("down", 1, undefined, passed("publish 1@6500 on 6100", "puback 1@6600 on 6100")), LOST);
    assert.deepEqual(losses("down", 1, undefined, passed("publish 1@80 on 5", "puback 1@90 on 5"), []), LOST);
  });
});

describe("a message that the broker sent to a bridge again", () => {
  const again = (...lines: string[]) => sentAgainByBroker(passed(...lines), KILLS);

  it("counts as a new one when a SIGKILL came after the end of the exchange", () => {
    assert.equal(again("publish 1@900 on 5", "puback 1@910 on 5", "publish 1@1600 on 1550"), 1);
    const exchange = ["publish 1@900 on 5", "pubrec 1@910 on 5", "pubrel 1@920 on 5"];
    assert.equal(again(...exchange, "publish 1@1600 on 1550"), 1);
    assert.equal(again(...exchange, "pubcomp 1@930 on 5", "publish 1@1600 on 1550", "publish 2@6600 on 6500"), 2);
  });

  it("counts as a new one when it has another packet identifier after a SIGKILL", () => {
    assert.equal(again("publish 1@900 on 5", "pubrec 1@910 on 5", "publish 2@1600 on 1550"), 1);
  });

  it("counts as the same one during the exchange, which the bridge has to handle", () => {
    assert.equal(again("publish 1@900 on 5"), 0);
    assert.equal(again("publish 1@900 on 5", "pubrec 1@910 on 5", "publish 1@1600 on 1550"), 0);
  });

  it("is not attributed to the broker unless it was killed in between", () => {
    const exchange = ["publish 1@2900 on 1600", "pubrec 1@2910 on 1600", "pubrel 1@2920 on 1600"];
    assert.equal(again(...exchange, "publish 2@3600 on 3500"), 0);
    assert.equal(again(...exchange, "publish 1@5600 on 1600"), 0, "passed late, on the connection of before");
  });
});
