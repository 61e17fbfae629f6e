/** Publisher at brokers that are slow, silent, limited or break the connection. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { Publisher } from "../../../src/mqtt/client/publisher.ts";
import { scaled } from "../../support/speed.ts";
import { accept, type Behaviour, type FakeBroker, politeBut, startFakeBroker } from "../fake-broker.ts";
import { connected, memoryLog, message, next, uniqueId } from "../support.ts";

const nothing: Behaviour = () => {};

interface Setting {
  protocol?: "5" | "3.1.1";
  ackTimeoutMs?: number;
}

async function open(t: TestContext, behaviour: Behaviour, { protocol = "5", ackTimeoutMs = 5_000 }: Setting = {}) {
  const broker = await startFakeBroker(behaviour);
  const address = { url: broker.url, protocol };
  const publisher = new Publisher({ broker: address, clientId: uniqueId(), log: memoryLog(), ackTimeoutMs });
  t.after(async () => {
    await publisher.close();
    await broker.close();
  });
  await connected(publisher.connection);
  return { broker, publisher, link: await broker.connection(1) };
}

async function reconnect(broker: FakeBroker, publisher: Publisher) {
  const back = next(publisher.connection, "connect");
  broker.connections.at(-1)!.breakOff();
  await back;
  return broker.connections.at(-1)!;
}

describe("a broker that never acknowledges", { concurrency: true }, () => {
  for (const qos of [1, 2] as const) {
    it(`QoS ${qos}: the publish times out, and the message is not sent again`, async (t) => {
      const { broker, publisher } = await open(t, politeBut({ publish: nothing }), { ackTimeoutMs: 300 });
      const started = Date.now();
      assert.deepEqual(await publisher.publish(message({ qos })), { kind: "timeout", afterMs: 300 });
      assert.ok(Date.now() - started < scaled(5_000));
      const link = await reconnect(broker, publisher);
      await publisher.publish(message({ payload: "later", qos }));
      assert.deepEqual(
        link.of("publish").map(({ payload }) => payload.toString()),
        ["later"],
      );
    });
  }

  it("QoS 2: silence after PUBREC is a time-out too", async (t) => {
    const { publisher } = await open(t, politeBut({ pubrel: nothing }), { ackTimeoutMs: 300 });
    assert.equal((await publisher.publish(message({ qos: 2 }))).kind, "timeout");
  });

  it("QoS 0: a socket that accepts no more data and breaks does not block the caller forever", async (t) => {
    const { publisher, link } = await open(t, politeBut({}), { ackTimeoutMs: 1_000 });
    link.socket.pause();
    const payload = Buffer.alloc(1 << 20);
    const results = Array.from({ length: 30 }, () => publisher.publish(message({ qos: 0, payload })));
    const gone = next(publisher.connection, "close");
    link.breakOff();
    await gone;
    assert.ok((await Promise.all(results)).some(({ kind }) => kind === "timeout"));
  });

  it("does not attribute a late acknowledgement to another message", async (t) => {
    const { publisher, link } = await open(t, politeBut({ publish: nothing }), { ackTimeoutMs: 300 });
    await publisher.publish(message({}));
    const late = (await link.until("publish"))[0]!.messageId!;
    link.send({ cmd: "puback", messageId: late, reasonCode: 0x10 });
    const other = publisher.publish(message({ payload: "other" }));
    const { messageId } = (await link.until("publish", 2))[1]!;
    assert.notEqual(messageId, late);
    link.send({ cmd: "puback", messageId, reasonCode: 0 });
    assert.deepEqual(await other, { kind: "acknowledged", reasonCode: 0 });
  });
});

describe("a connection that breaks during publishes", { concurrency: true }, () => {
  for (const protocol of ["5", "3.1.1"] as const) {
    for (const qos of [1, 2] as const) {
      it(`MQTT ${protocol}, QoS ${qos}: they are sent again and acknowledged`, async (t) => {
        let acknowledges = false;
        const behaviour = politeBut({
          publish: (packet, link) => acknowledges && politeBut({})(packet, link),
        });
        const { broker, publisher, link } = await open(t, behaviour, { protocol });
        const results = ["a", "b", "c"].map((payload) => publisher.publish(message({ payload, qos })));
        await link.until("publish", 3);
        acknowledges = true;
        const again = await reconnect(broker, publisher);
        const reasonCode = protocol === "5" ? 0 : undefined;
        for (const result of results) assert.deepEqual(await result, { kind: "acknowledged", reasonCode });
        assert.deepEqual(
          again.of("publish").map(({ payload }) => payload.toString()),
          ["a", "b", "c"],
        );
      });
    }

    it(`MQTT ${protocol}: QoS 2 between PUBREC and PUBCOMP is uncertain and reported as a time-out, not as a success`, async (t) => {
      const { broker, publisher, link } = await open(t, politeBut({ pubrel: nothing }), { protocol });
      const result = publisher.publish(message({ qos: 2 }));
      await link.until("pubrel");
      const again = await reconnect(broker, publisher);
      assert.equal((await result).kind, "timeout");
      await publisher.publish(message({ qos: 1 }));
      assert.equal(again.of("pubrel").length, 0);
    });
  }
});

describe("closing", () => {
  it("reports the outcome to every caller and leaves nothing behind", async (t) => {
    const { publisher } = await open(t, politeBut({ publish: nothing }), { ackTimeoutMs: 60_000 });
    const results = Array.from({ length: 1_001 }, () => publisher.publish(message({})));
    await publisher.close();
    const kinds = (await Promise.all(results)).map(({ kind }) => kind);
    assert.deepEqual([new Set(kinds.slice(0, 1_000)), kinds[1_000]], [new Set(["timeout"]), "unavailable"]);
    assert.equal((await publisher.publish(message({}))).kind, "unavailable");
  });
});

describe("the window of unacknowledged publishes, and other limits", () => {
  it("never exceeds the broker's Receive Maximum, and every publish gets its turn", async (t) => {
    let unacknowledged = 0;
    let most = 0;
    const { publisher } = await open(
      t,
      politeBut({
        connect: (_, link) => accept(link, { receiveMaximum: 2 }),
        publish: (packet, link) => {
          most = Math.max(most, ++unacknowledged);
          setImmediate(() => {
            unacknowledged--;
            politeBut({})(packet, link);
          });
        },
      }),
    );
    const results = await Promise.all(Array.from({ length: 50 }, () => publisher.publish(message({}))));
    assert.ok(results.every(({ kind }) => kind === "acknowledged"));
    assert.equal(most, 2);
  });

  it("makes callers wait up to a limit, and reports busy beyond it", async (t) => {
    const { publisher, link } = await open(t, politeBut({ publish: nothing }), { ackTimeoutMs: 3_000 });
    const results = Array.from({ length: 11_000 }, () => publisher.publish(message({})));
    assert.deepEqual(await publisher.publish(message({})), { kind: "busy" });
    await link.until("publish", 1_000);
    const gone = next(publisher.connection, "close");
    const started = Date.now();
    link.breakOff();
    await gone;
    // An unsent publish is reported when the connection breaks, not when its turn would have come.
    assert.equal((await results.at(-1)!).kind, "unavailable");
    assert.ok(Date.now() - started < scaled(1_500));
  });

  it("reports missing subscribers from PUBREC, although PUBCOMP does not mention them", async (t) => {
    const { publisher } = await open(
      t,
      politeBut({ publish: ({ messageId }, link) => link.send({ cmd: "pubrec", messageId, reasonCode: 0x10 }) }),
    );
    assert.deepEqual(await publisher.publish(message({ qos: 2 })), { kind: "acknowledged", reasonCode: 0x10 });
  });

  it("a message that exceeds CONNACK's limits is refused without ending the connection", async (t) => {
    const limits = { maximumQoS: 1, retainAvailable: false, maximumPacketSize: 100 };
    const { publisher, broker } = await open(t, politeBut({ connect: (_, link) => accept(link, limits) }));
    const codeOf = async (fields: Parameters<typeof message>[0]) => {
      const result = await publisher.publish(message(fields));
      return result.kind === "refused" ? result.reasonCode : result.kind;
    };
    assert.equal(await codeOf({ qos: 2 }), 0x9b);
    assert.equal(await codeOf({ retain: true }), 0x9a);
    // Fixed header 2, topic 2 + 1, packet identifier 2, properties 1: 92 bytes of payload make 100.
    assert.equal(await codeOf({ topic: "t", payload: "x".repeat(93) }), 0x95);
    assert.equal(await codeOf({ topic: "t", payload: "x".repeat(92) }), "acknowledged");
    assert.equal(broker.connections.length, 1);
  });
});
