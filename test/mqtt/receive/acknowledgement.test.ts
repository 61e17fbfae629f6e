/**
 * Held acknowledgements of a real MQTT.js client, against a broker that counts them. These tests also guard the use of
 * MQTT.js's private `_sendPacket`: if it were renamed or bypassed, acknowledgements would leave before `done()`.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MqttClient } from "mqtt";
import { Acknowledger } from "../../../src/mqtt/receive/acknowledgement.ts";
import { next } from "../support.ts";
import { openSession, publish, roundTrip } from "./acknowledgement-session.ts";

const ids = (packets: { messageId?: number }[]) => packets.map(({ messageId }) => messageId);

for (const version of [4, 5] as const) {
  describe(`acknowledgements, MQTT ${version === 5 ? "5" : "3.1.1"}`, () => {
    it("are held until done while the parser continues", async (t) => {
      const session = await openSession(t, { version });
      const { link, receipts } = session;
      link.send(...Array.from({ length: 100 }, (_, i) => publish(i + 1)));
      await session.taken(100);
      await roundTrip(session);
      assert.equal(link.of("puback").length, 0);
      assert.equal(session.acknowledger.pending, 100);
      for (const { done } of receipts) done();
      assert.equal((await link.until("puback", 100)).length, 100);
      assert.equal(session.acknowledger.pending, 0);
    });

    it("leave in the order of arrival, independent of the order of done", async (t) => {
      const session = await openSession(t, { version });
      const { link, receipts } = session;
      link.send(publish(7), publish(3, { qos: 2 }), publish(9), publish(1));
      await session.taken(4);
      for (const i of [3, 1, 2]) receipts[i]!.done();
      await roundTrip(session);
      assert.deepEqual(
        link.received.filter(({ cmd }) => cmd.startsWith("pub")),
        [],
      );
      receipts[0]!.done();
      await link.until("puback", 3);
      const left = link.received
        .filter(({ cmd }) => cmd.startsWith("pub"))
        .map(({ cmd, messageId }) => `${cmd} ${messageId}`);
      assert.deepEqual(left, ["puback 7", "pubrec 3", "puback 9", "puback 1"]);
    });

    it("of QoS 2: PUBREC is held, and PUBREL is answered with PUBCOMP at once", async (t) => {
      const session = await openSession(t, { version });
      const { link, receipts } = session;
      link.send(publish(5, { qos: 2 }));
      await session.taken(1);
      await roundTrip(session);
      assert.equal(link.of("pubrec").length, 0);
      receipts[0]!.done();
      await link.until("pubrec");
      link.send({ cmd: "pubrel", messageId: 5 });
      assert.deepEqual(ids(await link.until("pubcomp")), [5]);
      // The identifier is free again: a message that carries it now is another one, even with the same payload.
      link.send(publish(5, { qos: 2 }));
      await session.taken(2);
      assert.equal(receipts.length, 2);
    });

    it("of QoS 2: a PUBLISH repeated before PUBREC is one receipt and does not block the following ones", async (t) => {
      const session = await openSession(t, { version });
      const { link, receipts } = session;
      link.send(publish(5, { qos: 2 }), publish(5, { qos: 2, dup: true }), publish(6));
      await session.taken(2);
      assert.deepEqual(session.payloads(), ["m5", "m6"]);
      for (const { done } of receipts) done();
      await link.until("puback");
      // Repeats it after PUBREC, like a broker that has not seen PUBREC.
      link.send(publish(5, { qos: 2, dup: true }), publish(8));
      await session.taken(3);
      assert.deepEqual(session.payloads(), ["m5", "m6", "m8"]);
      assert.deepEqual(new Set(ids(await link.until("pubrec", 2))), new Set([5]));
    });
  });
}

describe("acknowledgements across connections", () => {
  for (const qos of [1, 2] as const) {
    it(`QoS ${qos}: a repeated message that is still pending is one receipt, acknowledged on the new connection`, async (t) => {
      const session = await openSession(t);
      session.link.send(publish(4, { qos }));
      await session.taken(1);
      const link = await session.reconnect();
      link.send(publish(4, { qos, dup: true }), publish(6));
      await session.taken(2);
      assert.deepEqual(session.payloads(), ["m4", "m6"]);
      for (const { done } of session.receipts) done();
      assert.deepEqual(ids(await link.until(qos === 1 ? "puback" : "pubrec")).slice(0, 1), [4]);
      assert.equal(session.link.of(qos === 1 ? "puback" : "pubrec").length, 0);
    });
  }

  it("a message that became durable while the connection was down is acknowledged when it is repeated", async (t) => {
    const session = await openSession(t);
    session.link.send(publish(4));
    await session.taken(1);
    const gone = next(session.client, "close");
    session.link.breakOff();
    await gone;
    session.receipts[0]!.done();
    const link = await session.broker.connection(2);
    await next(session.client, "connect");
    await roundTrip(session);
    assert.equal(link.of("puback").length, 0, "nothing is acknowledged that did not come again");
    link.send(publish(4, { dup: true }));
    await link.until("puback");
    assert.equal(session.receipts.length, 1);
  });

  it("a message that is done after a reconnect is not acknowledged there unless it was repeated", async (t) => {
    const session = await openSession(t);
    session.link.send(publish(1), publish(2, { qos: 2 }));
    await session.taken(2);
    const link = await session.reconnect();
    for (const { done } of session.receipts) done();
    link.send(publish(9));
    await session.taken(3);
    session.receipts[2]!.done();
    assert.deepEqual(ids(await link.until("puback")), [9]);
    assert.equal(link.of("pubrec").length, 0);
  });

  it("messages that were read but not passed on when the connection broke wait for their repetition", async (t) => {
    const session = await openSession(t, { limits: { maxPending: 2 } });
    session.link.send(publish(1), publish(2), publish(3), publish(4, { qos: 2 }), { cmd: "pubrel", messageId: 40 });
    await session.taken(2);
    const gone = next(session.client, "close");
    session.link.breakOff();
    await gone;
    for (const { done } of session.receipts) done();
    const link = await session.broker.connection(2);
    await next(session.client, "connect");
    await roundTrip(session);
    assert.deepEqual(
      link.received.filter(({ cmd }) => /^pub/.test(cmd)),
      [],
    );
    assert.deepEqual(session.payloads(), ["m1", "m2"]);
    link.send(publish(3, { dup: true }));
    await session.taken(3);
    session.receipts[2]!.done();
    assert.deepEqual(ids(await link.until("puback")), [3]);
  });

  it("another message with a known identifier is a receipt of its own", async (t) => {
    const session = await openSession(t, { sessionPresent: false });
    session.link.send(publish(1), publish(2, { qos: 2 }));
    await session.taken(2);
    const link = await session.reconnect();
    link.send(publish(1, { payload: "new" }), publish(2, { qos: 2 }));
    await session.taken(4);
    assert.deepEqual(session.payloads(), ["m1", "m2", "new", "m2"]);
  });

  it("QoS 2 stays one receipt when a broker resumes the session but reports that it did not", async (t) => {
    const session = await openSession(t, { sessionPresent: false });
    session.link.send(publish(2, { qos: 2 }));
    await session.taken(1);
    const link = await session.reconnect();
    link.send(publish(2, { qos: 2, dup: true }), publish(3));
    await session.taken(2);
    assert.deepEqual(session.payloads(), ["m2", "m3"]);
  });
});

describe("the high-water mark", () => {
  for (const [name, limits] of [
    ["messages", { maxPending: 3 }],
    ["bytes", { maxPendingBytes: 6 }],
  ] as const) {
    for (const qos of [0, 1, 2] as const) {
      it(`counts ${name} of QoS ${qos}, stops reading and continues`, async (t) => {
        const session = await openSession(t, { limits });
        const send = (id: number) =>
          session.link.send(publish(id, { qos, ...(qos === 0 && { messageId: undefined }) }));
        for (let id = 1; id <= 8; id++) send(id);
        await session.taken(3);
        let answered = false;
        const answer = roundTrip(session).then(() => (answered = true));
        await session.link.until("unsubscribe");
        assert.equal(session.receipts.length, 3);
        assert.equal(answered, false, "the broker's answer stands behind what is not read");
        for (let i = 0; i < 8; i++) {
          await session.taken(i + 1);
          session.receipts[i]!.done();
        }
        await answer;
        assert.equal(session.receipts.length, 8);
      });
    }
  }
});

describe("drain", () => {
  it("waits until all messages passed on are acknowledged, and passes on no more", async (t) => {
    const session = await openSession(t);
    session.link.send(publish(1), publish(2));
    await session.taken(2);
    let drained = false;
    const drain = session.acknowledger.drain().then(() => (drained = true));
    session.link.send(publish(3), publish(4, { qos: 2 }));
    session.receipts[1]!.done();
    assert.equal(drained, false);
    session.receipts[0]!.done();
    await drain;
    assert.deepEqual(ids(await session.link.until("puback", 2)), [1, 2]);
    session.link.breakOff();
    await next(session.client, "close");
    assert.deepEqual(session.payloads(), ["m1", "m2"], "a message that cannot be acknowledged any more was taken");
  });
});

describe("MQTT.js internals", () => {
  it("cause an error at the start when a new version renames them", () => {
    const acknowledger = new Acknowledger({ maxPending: 1, maxPendingBytes: 1 }, () => {});
    assert.throws(() => acknowledger.attach({ options: {} } as unknown as MqttClient), /_sendPacket/);
  });
});
