/** The report of the fault suite: lost, duplicate and wrong messages, and the explanations of duplicates. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Happened } from "./inject.ts";
import { Ledger } from "./ledger.ts";
import { booksThatDoNotClose, type Findings, makeReport, toText } from "./report.ts";
import type { Passage } from "./witness.ts";

const call = (id: string, at: number, receivedAt = at) => ({ id, at, receivedAt });
const fault = (target: Happened["target"], kind: Happened["kind"], from: number, to = from): Happened => ({
  target,
  kind,
  from,
  until: to,
  to,
});

function ledger(direction: "up" | "down", qos: 0 | 1 | 2, sent: number, acknowledged: number[]): Ledger {
  const made = new Ledger(direction, qos);
  made.sent = sent;
  for (const number of acknowledged) made.acknowledged.add(number);
  return made;
}

const report = (findings: Partial<Findings>) =>
  makeReport({
    ledgers: [],
    happened: [],
    passages: () => [],
    trouble: [],
    books: undefined,
    undelivered: 0,
    ...findings,
  });

const books = {
  messages: { received: 10, unmatched: 3, enqueued: 7 },
  deliveries: { enqueued: 9, succeeded: 5, failed: 1, waiting: 2, discarded: 1 },
};

describe("the report of the fault suite", () => {
  it("counts messages as lost only if they were acknowledged and did not arrive", () => {
    const up = ledger("up", 1, 4, [0, 1, 3]);
    up.arrived(0, call("a", 1));
    up.arrived(2, call("b", 1));
    const none = ledger("up", 0, 3, []);
    const { rows, wrong } = report({ ledgers: [up, none] });
    assert.deepEqual(
      rows.map(({ received, lost }) => [received, lost]),
      [
        [2, [1, 3]],
        [0, []],
      ],
    );
    assert.deepEqual(wrong, ["up QoS 1: 2 lost: 1, 3"]);
  });

  it("distinguishes a repeated call from a message queued twice, which is wrong with QoS 2", () => {
    for (const qos of [1, 2] as const) {
      const up = ledger("up", qos, 2, [0, 1]);
      for (const arrival of [call("a", 1), call("a", 2), call("b", 3)]) up.arrived(0, arrival);
      up.arrived(1, call("c", 1));
      const { rows, wrong } = report({ ledgers: [up] });
      assert.deepEqual([rows[0]!.sameId, rows[0]!.otherId], [1, 1]);
      assert.deepEqual(wrong, qos === 2 ? ["up QoS 2: 1 twice in the queue: 0"] : []);
    }
  });

  it("explains a duplicate by a fault in between that can have this effect", () => {
    const happened = [
      fault("redis", "kill", 500, 900),
      fault("receiver", "kill", 20_050, 21_000),
      fault("bridge-a", "kill", 20_060, 22_000),
      fault("b-broker", "cut", 40_000, 41_000),
      fault("receiver", "freeze", 60_000, 61_000),
    ];
    const why = (arrivals: ReturnType<typeof call>[], sentAgain = false, passages: Passage[] = []) => {
      const up = ledger("up", 1, 1, [0]);
      if (sentAgain) up.sentAgain.add(0);
      for (const arrival of arrivals) up.arrived(0, arrival);
      return Object.keys(report({ ledgers: [up], happened, passages: () => passages }).rows[0]!.why)[0];
    };
    const exchange = (connectedAt: number): Passage[] =>
      [0, connectedAt].flatMap((connection): Passage[] => [
        { cmd: "publish", packetId: 1, at: 1, connectedAt: connection },
        { cmd: "puback", packetId: 1, at: 1, connectedAt: connection },
      ]);
    assert.match(why([call("a", 20_000), call("a", 22_000)])!, /^called again after SIGKILL of receiver/);
    assert.match(why([call("a", 20_055), call("a", 22_000)])!, /^called again after SIGKILL of bridge-a/);
    assert.match(why([call("a", 39_000), call("b", 42_000)])!, /^sent again by the broker after cut of b-broker/);
    assert.match(why([call("a", 39_000), call("b", 42_000)])!, /: no acknowledgement had passed$/);
    assert.match(why([call("a", 39_000), call("b", 42_000)], false, exchange(9))!, /: the ack\w+ was on its way$/);
    assert.match(why([call("a", 39_000), call("b", 42_000)], false, exchange(0))!, /ALTHOUGH acknowledged on the same/);
    assert.match(why([call("a", 39_000), call("b", 42_000)], true)!, /^published again by the device.* b-broker/);
    assert.match(why([call("a", 62_000), call("b", 63_000)])!, /^sent again by the broker, UNEXPLAINED/);
    assert.match(why([call("a", 85_000), call("a", 86_000)])!, /UNEXPLAINED/);
  });

  it("counts duplicates at a device", () => {
    const down = ledger("down", 1, 1, [0]);
    for (const at of [100, 300]) down.arrived(0, { at });
    const happened = [fault("bridge-b", "kill", 200)];
    const exchange = (...cmds: Passage["cmd"][]) =>
      cmds.map((cmd, i): Passage => ({ cmd, packetId: 1, at: 150 + 50 * i, connectedAt: 0 }));
    const why = (passages: Passage[]) => {
      const { rows, wrong } = report({ ledgers: [down], happened, passages: () => passages });
      assert.deepEqual([rows[0]!.sameId, rows[0]!.otherId, wrong], [1, 0, []]);
      return Object.keys(rows[0]!.why)[0]!;
    };
    assert.match(why(exchange("publish", "publish")), /^published again after SIGKILL of bridge-b: no ack/);
    assert.match(why(exchange("publish", "puback", "publish")), /^published again after SIGKILL of bridge-b: the note/);
    assert.match(why(exchange("publish", "puback")), /^sent again by the broker, UNEXPLAINED/);
  });

  it("finds ledgers that do not balance, and reports missing ones", () => {
    assert.deepEqual(booksThatDoNotClose(books), []);
    const { messages, deliveries } = books;
    const wrong = { messages: { ...messages, received: 11 }, deliveries: { ...deliveries, waiting: 3 } };
    assert.deepEqual(report({ books: wrong }).wrong, [
      "books: received 11 ≠ unmatched 3 + enqueued 7",
      "books: deliveries enqueued 9 ≠ succeeded 5 + failed 1 + waiting 3 + discarded 1",
    ]);
    assert.deepEqual([report({}).books, report({}).wrong], ["not available", []]);
  });

  it("reports missing acknowledgements, waiting deliveries and misbehaving processes as wrong", () => {
    const { wrong } = report({ ledgers: [ledger("up", 1, 5, [])], undelivered: 3, trouble: ["bridge-a: it ended"] });
    assert.deepEqual(wrong, [
      "bridge-a: it ended",
      "up QoS 1: nothing was acknowledged, so nothing was tested",
      "3 deliveries still waited at the end",
    ]);
  });

  it("attributes to the broker the losses and resends that a SIGKILL caused", () => {
    const up = ledger("up", 2, 3, [0, 1, 2]);
    for (const number of [0, 1, 2]) up.takenAt.set(number, 990);
    for (const number of [1, 2]) up.arrived(number, call("a", 900));
    for (const number of [1, 2]) up.arrived(number, call("b", 2_000));
    const passed = (cmd: Passage["cmd"], at: number) => ({ cmd, packetId: 1, at, connectedAt: at - (at % 1_000) });
    const passages = (payload: string) =>
      payload === "up 2 1" ? [passed("publish", 500), passed("pubrel", 600), passed("publish", 2_500)] : [];
    const kill = fault("broker", "kill", 1_000, 1_500);
    const { rows, wrong, witnessed } = report({ ledgers: [up], happened: [kill], passages });
    assert.deepEqual(Object.keys(witnessed), ["up 2 0", "up 2 2"]);
    const { lost, lostByBroker, otherId, sentAgainByBroker, why } = rows[0]!;
    assert.deepEqual([lost, lostByBroker, otherId, sentAgainByBroker], [[], [{ number: 0, ageMs: 10 }], 1, 1]);
    assert.match(Object.keys(why)[0]!, /^sent again by the broker as a new message/);
    assert.deepEqual(wrong, ["up QoS 2: 1 twice in the queue: 2"]);
    const text = toText(report({ ledgers: [up], happened: [kill], passages }));
    assert.match(text, /^ {2}up QoS 2: 0; acknowledged at most 10 ms before the SIGKILL$/m);
    assert.deepEqual(
      report({ ledgers: [up], happened: [fault("broker", "terminate", 1_000, 1_500)], passages }).wrong,
      ["up QoS 2: 1 lost: 0", "up QoS 2: 2 twice in the queue: 1, 2"],
    );
  });

  it("is rendered as a table", () => {
    const up = ledger("up", 1, 2, [0, 1]);
    up.arrived(0, call("a", 1));
    const text = toText(report({ ledgers: [up], happened: [fault("redis", "kill", 1, 2)], books }));
    assert.match(text, /^device → webhook, QoS 1 +2 +2 +1 +1 +0 +0 +0 +0$/m);
    assert.match(text, /^faults: 1 × kill redis$/m);
    assert.match(text, /^WRONG {2}up QoS 1: 1 lost: 1$/m);
  });
});
