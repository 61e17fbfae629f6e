/** Sessions of the embedded broker whose client connects again. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as openSocket } from "node:net";
import { it, type TestContext } from "node:test";
import { connect } from "mqtt";
import mqttPacket, { type Packet } from "mqtt-packet";
import { eventually } from "../../support/eventually.ts";
import { client, payloadsUntil, start } from "./clients.ts";

const SUBSCRIBER = { clientId: "subscriber", clean: false };

/** A broker whose file carries out the calls of one procedure only once they are released. */
async function startSlow(t: TestContext, slow: string) {
  let isSlow = false;
  const calls: string[] = [];
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  t.after(() => release());
  const broker = await start(t, {
    beforeCall(procedure) {
      calls.push(procedure);
      return isSlow && procedure === slow ? released : undefined;
    },
  });
  const slowDown = () => {
    isSlow = true;
  };
  return { ...broker, calls, slowDown, release };
}

/** A session that is subscribed, and not connected. */
async function leaveSession(t: TestContext, url: string): Promise<void> {
  const subscriber = await client(t, url, SUBSCRIBER);
  await subscriber.subscribeAsync("a", { qos: 1 });
  await subscriber.endAsync();
}

it("gets CONNACK first, then a message that was published meanwhile, once", async (t) => {
  const { url, calls, slowDown, release } = await startSlow(t, "mqtt.deleteWill");
  await leaveSession(t, url);
  const publisher = await client(t, url);
  slowDown();
  const seen = calls.length;
  const socket = openSocket(Number(new URL(url).port));
  t.after(() => socket.destroy());
  const packets: Packet[] = [];
  const parser = mqttPacket.parser().on("packet", (packet) => packets.push(packet));
  socket.on("data", (bytes: Buffer) => parser.parse(bytes));
  await once(socket, "connect");
  mqttPacket.writeToStream({ cmd: "connect", protocolId: "MQTT", protocolVersion: 4, ...SUBSCRIBER }, socket);
  await eventually(() => calls.indexOf("mqtt.deleteWill", seen) > 0, "the subscriptions are restored");
  await publisher.publishAsync("a", "meanwhile", { qos: 1 });
  // Its delivery is attempted right after this PUBACK; the next one proves that it has happened.
  await publisher.publishAsync("b", "", { qos: 1 });
  assert.equal(packets.length, 0);
  release();
  await publisher.publishAsync("a", "last", { qos: 1 });
  const payloads = () => packets.flatMap((packet) => (packet.cmd === "publish" ? [packet.payload.toString()] : []));
  await eventually(payloads, (all) => ["meanwhile", "last"].every((one) => all.includes(one)));
  assert.equal(packets[0]!.cmd, "connack");
  assert.deepEqual(payloads(), ["meanwhile", "last"]);
});

it("gets its QoS 1 messages without waiting for the disk between them", async (t) => {
  const { url, slowDown } = await startSlow(t, "mqtt.sentQos1");
  await leaveSession(t, url);
  const publisher = await client(t, url);
  const sent = Array.from({ length: 200 }, (_, i) => String(i));
  for (const payload of sent) await publisher.publishAsync("a", payload, { qos: 1 });
  slowDown();
  const subscriber = connect(url, SUBSCRIBER);
  t.after(() => subscriber.endAsync(true));
  assert.deepEqual(await payloadsUntil(subscriber, "199"), sent);
});

for (const qos of [1, 2] as const) {
  it(`gets what was stored and what is published meanwhile in order, at QoS ${qos}`, async (t) => {
    const { url } = await start(t);
    const before = await client(t, url, SUBSCRIBER);
    await before.subscribeAsync("a", { qos });
    await before.endAsync();
    const publisher = await client(t, url);
    const publish = (n: number) => publisher.publishAsync("a", String(n), { qos });
    await Promise.all(Array.from({ length: 150 }, (_, n) => publish(n)));
    const subscriber = connect(url, SUBSCRIBER);
    t.after(() => subscriber.endAsync(true));
    const got = payloadsUntil(subscriber, "last");
    let isArriving = false;
    subscriber.once("message", () => {
      isArriving = true;
    });
    let n = 150;
    for (let more = 60; more > 0; n++) {
      await publish(n);
      if (isArriving) more -= 1;
    }
    await publisher.publishAsync("a", "last", { qos });
    assert.deepEqual(await got, [...Array.from({ length: n }, (_, i) => String(i)), "last"]);
  });
}

it("is disconnected when a packet identifier cannot be stored, and gets the message again", async (t) => {
  let isRefusing = true;
  const { url } = await start(t, {
    beforeCall(procedure) {
      if (procedure !== "mqtt.sentQos1" || !isRefusing) return undefined;
      isRefusing = false;
      throw new Error("the disk is full");
    },
  });
  await leaveSession(t, url);
  const publisher = await client(t, url);
  await publisher.publishAsync("a", "message", { qos: 1 });
  const subscriber = connect(url, { ...SUBSCRIBER, reconnectPeriod: 20 });
  t.after(() => subscriber.endAsync(true));
  let connections = 0;
  subscriber.on("connect", () => {
    connections += 1;
  });
  await payloadsUntil(subscriber, "message");
  await eventually(() => connections === 2, "it connects again");
});

it("stores the filters of a SUBSCRIBE packet in one call", async (t) => {
  const { url, calls } = await startSlow(t, "");
  const subscriber = await client(t, url, SUBSCRIBER);
  await subscriber.subscribeAsync(Array.from({ length: 100 }, (_, i) => `a/${i}`));
  assert.equal(calls.filter((procedure) => procedure === "mqtt.subscribe").length, 1);
});
