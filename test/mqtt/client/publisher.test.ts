/** Outcomes that the publisher reports, with a real broker. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { connectAsync, type IPublishPacket, type MqttClient } from "mqtt";
import type { UserProperties } from "../../../src/message.ts";
import { Publisher } from "../../../src/mqtt/client/publisher.ts";
import { type Mosquitto, startMosquitto } from "../../support/mosquitto.ts";
import { requireOrSkip } from "../../support/requirements.ts";
import { scaled } from "../../support/speed.ts";
import { connected, memoryLog, message, next, temporaryFile, uniqueId } from "../support.ts";

const ACL = `
topic readwrite open/#
topic read closed/#
`;

describe("publishing on Mosquitto", requireOrSkip("mosquitto"), () => {
  let mosquitto: Mosquitto;
  let device: MqttClient;
  const received: IPublishPacket[] = [];
  const waiting = new Map<string, (packet: IPublishPacket) => void>();

  before(async () => {
    mosquitto = await startMosquitto({ extraConfig: `acl_file ${temporaryFile("acl", ACL)}` });
    device = await connectAsync(mosquitto.url, { protocolVersion: 5 });
    device.on("message", (_topic, _payload, packet) => {
      received.push(packet);
      waiting.get(packet.payload.toString())?.(packet);
    });
    await device.subscribeAsync("open/heard/#", { qos: 2 });
  });
  after(async () => {
    await device.endAsync();
    await mosquitto.stop();
  });

  /** Returns the device's message with that payload, received already or later. */
  async function atDevice(payload: string): Promise<IPublishPacket> {
    const past = received.find((packet) => packet.payload.toString() === payload);
    return past ?? new Promise((resolve) => waiting.set(payload, resolve));
  }

  for (const protocol of ["5", "3.1.1"] as const) {
    describe(`MQTT ${protocol}`, () => {
      let publisher: Publisher;
      const five = protocol === "5";
      before(async () => {
        const broker = { url: mosquitto.url, protocol };
        publisher = new Publisher({ broker, clientId: uniqueId(), log: memoryLog(), ackTimeoutMs: 5_000 });
        await connected(publisher.connection);
      });
      after(() => publisher.close());

      it("QoS 2: all of many messages at once arrive, in order", async () => {
        const payloads = Array.from({ length: 500 }, (_, i) => `${protocol}-many-${i}`);
        const topic = "open/heard/many";
        const results = await Promise.all(
          payloads.map((payload) => publisher.publish(message({ topic, payload, qos: 2 }))),
        );
        assert.doesNotMatch(mosquitto.log, /rc151/, "Mosquitto was sent more than it takes");
        assert.deepEqual(new Set(results.map(({ kind }) => kind)), new Set(["acknowledged"]));
        await Promise.all(payloads.map(atDevice));
        const came = received.filter((packet) => packet.topic === topic).map(({ payload }) => payload.toString());
        assert.deepEqual(
          came.filter((payload) => payload.startsWith(`${protocol}-many`)),
          payloads,
        );
      });

      for (const qos of [0, 1, 2] as const) {
        it(`QoS ${qos}: ${qos === 0 ? "sent" : "acknowledged, with the reason if there is one"}`, async () => {
          const payload = `${protocol}-${qos}`;
          const heard = await publisher.publish(message({ topic: "open/heard/a", payload, qos }));
          const unheard = await publisher.publish(message({ topic: "open/unheard", payload, qos }));
          if (qos === 0) {
            assert.deepEqual([heard, unheard], [{ kind: "sent" }, { kind: "sent" }]);
          } else {
            assert.deepEqual(heard, { kind: "acknowledged", reasonCode: five ? 0 : undefined });
            // Mosquitto looks for subscribers of a QoS 2 message only at PUBREL, after it has sent PUBREC.
            const noSubscribers = qos === 1 ? 0x10 : 0;
            assert.deepEqual(unheard, { kind: "acknowledged", reasonCode: five ? noSubscribers : undefined });
          }
          assert.equal((await atDevice(payload)).qos, qos);
        });
      }

      it("carries the properties if the protocol has them", async () => {
        const properties = {
          contentType: "text/x",
          responseTopic: "r/t",
          correlationData: Buffer.from([0, 255]),
          userProperties: { a: "1", b: ["2", "3"] },
        };
        const payload = `${protocol}-properties`;
        await publisher.publish(message({ topic: "open/heard/p", payload, ...properties, expirySeconds: 60 }));
        const packet = await atDevice(payload);
        const { contentType, responseTopic, correlationData, userProperties, messageExpiryInterval } =
          packet.properties ?? {};
        const got = {
          contentType,
          responseTopic,
          correlationData,
          userProperties: userProperties && { ...userProperties },
        };
        const none = {
          contentType: undefined,
          responseTopic: undefined,
          correlationData: undefined,
          userProperties: undefined,
        };
        assert.deepEqual(got, five ? properties : none);
        assert.ok(!five || (messageExpiryInterval! > 50 && messageExpiryInterval! <= 60));
      });

      it("publishes with user properties that have no values", async () => {
        for (const userProperties of [{}, { a: [] }] as UserProperties[]) {
          for (const qos of [0, 1, 2] as const) {
            const payload = `${protocol}-${JSON.stringify(userProperties)}-${qos}`;
            const { kind } = await publisher.publish(message({ topic: "open/heard/n", payload, qos, userProperties }));
            assert.equal(kind, qos === 0 ? "sent" : "acknowledged", payload);
            assert.equal((await atDevice(payload)).properties?.userProperties, undefined);
          }
        }
      });

      it("reports a refusal by the broker's rules and continues", async () => {
        for (const qos of [1, 2] as const) {
          const refused = await publisher.publish(message({ topic: "closed/x", qos }));
          // 3.1.1 has no reason code: Mosquitto acknowledges, drops and ends the connection, also between PUBREC and
          // PUBCOMP.
          if (five)
            assert.deepEqual(refused, { kind: "refused", reasonCode: 0x87, reason: "Publish error: Not authorized" });
          else assert.equal(refused.kind, qos === 1 ? "acknowledged" : "timeout");
        }
        const after = await publisher.publish(message({ topic: "open/heard/b" }));
        assert.deepEqual(after, { kind: "acknowledged", reasonCode: five ? 0 : undefined });
      });

      it("reports at once that the broker is away, and recovers by itself", async () => {
        const gone = next(publisher.connection, "close");
        await mosquitto.stop();
        await gone;
        for (const qos of [0, 1, 2] as const) {
          const started = performance.now();
          assert.equal((await publisher.publish(message({ qos }))).kind, "unavailable");
          assert.ok(performance.now() - started < scaled(1_000));
        }
        await mosquitto.restart();
        await connected(publisher.connection);
        assert.equal((await publisher.publish(message({ topic: "open/unheard" }))).kind, "acknowledged");
        await device.endAsync(true);
        device = device.reconnect();
        await next(device, "connect");
        await device.subscribeAsync("open/heard/#", { qos: 2 });
      });
    });
  }
});
