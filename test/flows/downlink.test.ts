/** HTTP → MQTT with the real bridge process: a device receives what was sent over HTTP, byte for byte. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import type { IPublishPacket } from "mqtt";
import { embedded, mosquittoAndRedis, scenario } from "../support/scenario.ts";
import { scaled } from "../support/speed.ts";

const kinds = [
  { kind: embedded, five: false, protocolVersion: 4 },
  { kind: mosquittoAndRedis("5"), five: true, protocolVersion: 5 },
  { kind: mosquittoAndRedis("3.1.1"), five: false, protocolVersion: 4 },
] as const;

for (const { kind, five, protocolVersion } of kinds) {
  describe(`downlink: ${kind.name}`, kind.options, () => {
    const world = scenario(kind, { device: { protocolVersion, reconnectPeriod: 100 } });
    const arrivals: IPublishPacket[] = [];
    let arrived = () => {};

    before(async () => {
      const { device } = world;
      device.on("message", (_topic, _payload, packet) => {
        arrivals.push(packet);
        arrived();
      });
      await device.subscribeAsync("device/#", { qos: 2 });
    });

    /** Resolves with the next message at the device. */
    async function next(): Promise<IPublishPacket> {
      const deadline = setTimeout(() => arrived(), 5_000);
      if (arrivals.length === 0) await new Promise<void>((resolve) => (arrived = resolve));
      clearTimeout(deadline);
      const packet = arrivals.shift();
      assert.ok(packet, "nothing arrived within 5 s");
      return packet;
    }

    async function get(topic: string) {
      const started = performance.now();
      const answer = await world.bridge.api("GET", `/v1/topics/${topic}`);
      return { ...answer, ms: performance.now() - started };
    }

    for (const qos of [0, 1, 2] as const) {
      it(`QoS ${qos}: the device gets the JSON as it was written`, async () => {
        const json = '{"big": 12345678901234567890,\n "price":1.10}';
        const { status, body } = await world.bridge.api(
          "POST",
          "/v1/messages",
          `{"topic":"device/1","qos":${qos},"payload":${json}}`,
          { "content-type": "application/json" },
        );
        assert.deepEqual([status, body.outcome], [200, qos === 0 ? "sent" : "acknowledged"]);
        // Mosquitto looks up subscribers too late to report them with QoS 2, and MQTT 3.1.1 cannot report them.
        assert.equal(body.noMatchingSubscribers, five && qos > 0 ? false : null);
        const packet = await next();
        assert.deepEqual([packet.topic, packet.qos, packet.payload.toString()], ["device/1", qos, json]);
      });
    }

    it("reports whether anyone subscribes, where the broker does", async () => {
      const { body } = await world.bridge.api("POST", "/v1/messages", { topic: "nobody/here", payload: "x" });
      assert.equal(body.noMatchingSubscribers, five ? true : null);
    });

    it("passes any bytes to the device, and on MQTT 5 the properties", async () => {
      const payload = Buffer.from([0, 255, 128, 10]);
      const properties = { contentType: "image/png", responseTopic: "r/1", userProperties: { a: "1", b: ["2", "3"] } };
      await world.bridge.api("POST", "/v1/messages", {
        topic: "device/2",
        payloadBase64: payload.toString("base64"),
        correlationData: payload.toString("base64"),
        expirySeconds: 60,
        ...properties,
      });
      const packet = await next();
      assert.deepEqual(packet.payload, payload);
      if (five) {
        const { contentType, responseTopic, userProperties, correlationData } = packet.properties!;
        const got = { contentType, responseTopic, userProperties: { ...userProperties } };
        assert.deepEqual([got, correlationData], [properties, payload]);
      }

      const { status } = await world.bridge.api("POST", "/v1/topics/device/3?qos=2", payload, {
        "content-type": "image/png",
      });
      assert.equal(status, 200);
      const raw = await next();
      assert.deepEqual([raw.topic, raw.qos, raw.payload], ["device/3", 2, payload]);
      assert.equal(raw.properties?.contentType, five ? "image/png" : undefined);
    });

    it("sets, reads and clears the retained message of a topic", async () => {
      const { bridge } = world;
      const absent = await get("device/held/1");
      assert.deepEqual([absent.status, absent.body.code], [404, "no_retained_message"]);
      const again = await get("device/held/2");
      assert.equal(again.status, 404);
      assert.ok(again.ms < scaled(400), `404 took ${again.ms} ms`);

      const body = Buffer.from([1, 0, 255]);
      await bridge.api("PUT", "/v1/topics/device/held/1?qos=2", body, { "content-type": "image/png" });
      assert.deepEqual((await next()).payload, body);
      const { status, bytes, headers } = await get("device/held/1");
      assert.deepEqual([status, bytes], [200, body]);
      assert.equal(headers.get("content-type"), five ? "image/png" : "application/octet-stream");
      assert.deepEqual([headers.get("mqtt-qos"), headers.get("mqtt-retain")], ["2", "true"]);
      const same = await bridge.api("GET", "/v1/topics/device/held/1", undefined, {
        "if-none-match": headers.get("etag")!,
      });
      assert.equal(same.status, 304);

      assert.equal((await bridge.api("DELETE", "/v1/topics/device/held/1")).status, 200);
      assert.equal((await next()).payload.length, 0);
      assert.equal((await get("device/held/1")).status, 404);
    });

    // The embedded broker runs as long as the bridge.
    if (kind === embedded) return;

    it("answers 503 at once while the broker is away, and 200 once it is back", async () => {
      const { bridge } = world;
      const mosquitto = world.mosquitto!;
      await mosquitto.stop();
      await bridge.readiness(503);
      for (const call of [
        () => bridge.api("POST", "/v1/messages", { topic: "device/4", payload: "lost" }),
        () => bridge.api("PUT", "/v1/topics/device/4", "lost"),
        () => bridge.api("GET", "/v1/topics/device/4"),
      ]) {
        const started = performance.now();
        const { status, body, headers } = await call();
        assert.ok(performance.now() - started < scaled(1_000));
        assert.deepEqual([status, body.code, headers.get("retry-after")], [503, "broker_unavailable", "1"]);
      }
      await mosquitto.restart();
      await bridge.readiness(200);
      const { status } = await bridge.api("POST", "/v1/messages", { topic: "device/4", payload: "back" });
      assert.equal(status, 200);
      assert.equal((await get("device/4")).status, 404, "nothing of what was refused was kept");
    });
  });
}
