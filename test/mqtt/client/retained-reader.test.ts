/**
 * Reads of retained messages over MQTT: exact, quick where nothing is retained, and refused while the broker is away.
 */
import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { connectAsync, type MqttClient } from "mqtt";
import { BrokerQueryError } from "../../../src/errors.ts";
import { RetainedReader } from "../../../src/mqtt/client/retained-reader.ts";
import { type Mosquitto, startMosquitto } from "../../support/mosquitto.ts";
import { freePort } from "../../support/ports.ts";
import { requireOrSkip } from "../../support/requirements.ts";
import { scaled } from "../../support/speed.ts";
import { modest, politeBut, refuse, startFakeBroker } from "../fake-broker.ts";
import { memoryLog, uniqueId } from "../support.ts";

function openReader(
  t: TestContext,
  url: string,
  protocol: "auto" | "5" | "3.1.1",
  outage = () => undefined as string | undefined,
): RetainedReader {
  const reader = new RetainedReader({ broker: { url, protocol }, clientId: uniqueId(), log: memoryLog(), outage });
  t.after(() => reader.close());
  return reader;
}

async function timed<T>(work: Promise<T>): Promise<{ value: T; ms: number }> {
  const started = performance.now();
  return { value: await work, ms: performance.now() - started };
}

describe("reading retained messages from Mosquitto", requireOrSkip("mosquitto"), () => {
  let mosquitto: Mosquitto;
  let device: MqttClient;
  before(async () => {
    mosquitto = await startMosquitto();
    device = await connectAsync(mosquitto.url, { protocolVersion: 5 });
    for (const qos of [0, 1, 2] as const)
      await device.publishAsync(`held/${qos}`, `value ${qos}`, { qos, retain: true });
    for (let i = 0; i < 50; i++) await device.publishAsync(`many/${i}`, String(i), { retain: true });
  });
  after(async () => {
    await device.endAsync();
    await mosquitto.stop();
  });

  for (const protocol of ["5", "3.1.1"] as const) {
    it(`MQTT ${protocol}: returns payload and QoS, byte for byte`, async (t) => {
      const { read } = openReader(t, mosquitto.url, protocol);
      for (const qos of [0, 1, 2] as const) {
        const got = await read(`held/${qos}`);
        assert.deepEqual({ ...got }, { topic: `held/${qos}`, payload: Buffer.from(`value ${qos}`), qos });
      }
      const bytes = Buffer.from([0, 255, 10, 13, 128]);
      await device.publishAsync("held/bytes", bytes, { qos: 1, retain: true });
      assert.deepEqual((await read("held/bytes"))!.payload, bytes);
    });

    it(`MQTT ${protocol}: finds quickly that nothing is retained`, async (t) => {
      const { read } = openReader(t, mosquitto.url, protocol);
      await read("held/0"); // opens the connection
      for (const topic of ["absent", "held", "held/0/below"]) {
        const { value, ms } = await timed(read(topic));
        assert.equal(value, undefined);
        assert.ok(ms < scaled(300), `${ms} ms`);
      }
    });

    it(`MQTT ${protocol}: reads many topics at once, and one topic many times at once`, async (t) => {
      const { read } = openReader(t, mosquitto.url, protocol);
      const topics = Array.from({ length: 50 }, (_, i) => `many/${i}`);
      const got = await Promise.all([...topics, ...topics, "absent"].map(read));
      assert.deepEqual(
        got.map((message) => message?.payload.toString()),
        [...topics, ...topics].map((topic) => topic.slice(5)).concat([undefined as never]),
      );
      const same = await Promise.all(Array.from({ length: 100 }, () => read("held/2")));
      assert.ok(same.every((message) => message?.payload.toString() === "value 2"));
      assert.equal((await read("held/2"))!.payload.toString(), "value 2");
    });
  }

  it("passes on content type and user properties", async (t) => {
    const properties = { contentType: "text/csv", userProperties: { unit: "°C", tag: ["a", "b"] } };
    await device.publishAsync("held/properties", "1;2", { qos: 1, retain: true, properties });
    const { read } = openReader(t, mosquitto.url, "5");
    assert.deepEqual(await read("held/properties"), {
      topic: "held/properties",
      payload: Buffer.from("1;2"),
      qos: 1,
      ...properties,
    });
  });

  it("does not take live messages for retained ones", async (t) => {
    const { read } = openReader(t, mosquitto.url, "5");
    await read("held/0");
    let busy = true;
    const traffic = (async () => {
      while (busy) await device.publishAsync("live", "passing by", { qos: 1 });
    })();
    for (let i = 0; i < 5; i++) assert.equal(await read("live"), undefined);
    busy = false;
    await traffic;
  });

  it("reads the current state after a change and after a clear", async (t) => {
    const { read } = openReader(t, mosquitto.url, "5");
    for (const value of ["one", "two"]) {
      await device.publishAsync("held/changing", value, { qos: 1, retain: true });
      assert.equal((await read("held/changing"))!.payload.toString(), value);
    }
    await device.publishAsync("held/changing", "", { qos: 1, retain: true });
    assert.equal(await read("held/changing"), undefined);
  });

  it("recovers by itself after an outage of the broker", async (t) => {
    let outage: string | undefined;
    const reader = openReader(t, mosquitto.url, "5", () => outage);
    await reader.read("held/0");
    await mosquitto.stop();
    outage = "stopped";
    await assert.rejects(reader.read("held/0"), { kind: "unavailable" });
    await mosquitto.restart();
    outage = undefined;
    // `outage` watches the publisher, which may reconnect before this connection does: the read waits for it.
    assert.equal(await reader.read("held/0"), undefined);
  });
});

describe("reading retained messages with an uncooperative broker", () => {
  it("is refused at once while the broker is away", async (t) => {
    const { read } = openReader(t, `mqtt://127.0.0.1:${await freePort()}`, "auto", () => "connect ECONNREFUSED");
    const { value: failure, ms } = await timed(read("t").catch((error: BrokerQueryError) => error));
    assert.ok(failure instanceof BrokerQueryError && ms < scaled(1_000));
    assert.deepEqual([failure.kind, failure.message], ["unavailable", "connect ECONNREFUSED"]);
  });

  it("reports a refused subscription", async (t) => {
    const broker = await startFakeBroker(
      politeBut({ subscribe: ({ messageId }, link) => link.send({ cmd: "suback", messageId, granted: [0x87] }) }),
    );
    t.after(() => broker.close());
    const { read } = openReader(t, broker.url, "5");
    await assert.rejects(read("t"), { kind: "refused", message: /0x87/ });
  });

  it("requests no more than a broker without QoS 2 supports", async (t) => {
    const broker = await startFakeBroker(modest);
    t.after(() => broker.close());
    const { value, ms } = await timed(openReader(t, broker.url, "5").read("t"));
    assert.equal(value, undefined);
    assert.ok(ms < 5_000, `answered, not given up after ${ms} ms`);
  });

  it("lets several first reads wait while the version is detected", async (t) => {
    const broker = await startFakeBroker(
      politeBut({ connect: (packet, link) => (link.version === 5 ? refuse(link, 1) : politeBut({})(packet, link)) }),
    );
    t.after(() => broker.close());
    const { read } = openReader(t, broker.url, "auto");
    const first = read("a");
    await (await broker.connection(1)).closed;
    assert.deepEqual(await Promise.all([first, read("b"), read("c")]), [undefined, undefined, undefined]);
  });

  it("does not wait for the release of a QoS 2 message", async (t) => {
    const broker = await startFakeBroker(
      politeBut({
        subscribe: (packet, link) => {
          politeBut({})(packet, link);
          const { messageId } = packet;
          link.send({ cmd: "publish", topic: "t", payload: "held", qos: 2, retain: true, dup: false, messageId });
        },
        pubrec: () => undefined,
      }),
    );
    t.after(() => broker.close());
    const { read } = openReader(t, broker.url, "5");
    assert.equal((await read("t"))!.payload.toString(), "held");
  });

  it("accepts a message shortly after SUBACK, and a QoS 2 message only once", async (t) => {
    const broker = await startFakeBroker(
      politeBut({
        subscribe: (packet, link) => {
          politeBut({})(packet, link);
          const { messageId } = packet;
          setImmediate(() =>
            link.send({ cmd: "publish", topic: "t", payload: "late", qos: 2, retain: true, dup: false, messageId }),
          );
        },
        pubrec: ({ messageId }, link) => link.send({ cmd: "pubrel", messageId }),
      }),
    );
    t.after(() => broker.close());
    const { read } = openReader(t, broker.url, "5");
    assert.equal((await read("t"))!.payload.toString(), "late");
  });
});
