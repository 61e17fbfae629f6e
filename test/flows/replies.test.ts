/** `replyTopic`: the receiver's response body is published, also through outages. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { IPublishPacket } from "mqtt";
import { embedded, mosquittoAndRedis, startScenario } from "../support/scenario.ts";

for (const kind of [embedded, mosquittoAndRedis("5")]) {
  describe(`replies: ${kind.name}`, kind.options, () => {
    it("reach the device, once for a message that is delivered again", async (t) => {
      const withMqtt5 = kind.broker === "5";
      const { bridge, receiver, device, mosquitto } = await startScenario(t, kind, {
        mosquitto: { persistence: true },
        device: {
          protocolVersion: withMqtt5 ? 5 : 4,
          // The broker keeps its messages while it is away.
          clientId: "device",
          clean: false,
          ...(withMqtt5 && { properties: { sessionExpiryInterval: 300 } }),
        },
      });
      receiver.answer = () => ({ status: 200, headers: { "content-type": "application/json" }, body: '{"ok":1.10}' });
      await bridge.register({ url: receiver.url, topics: ["ask/+"], replyTopic: "{topic}/reply" });
      if (withMqtt5) await bridge.register({ url: receiver.url, topics: ["call/+"], replyTopic: "{responseTopic}" });
      await device.subscribeAsync(["ask/+/reply", "answers/#"], { qos: 1 });

      const next = () =>
        new Promise<[string, Buffer, IPublishPacket]>((resolve) => {
          device.once("message", (...received) => resolve(received));
        });
      const first = next();
      await device.publishAsync("ask/1", "?", { qos: 1 });
      const [topic, payload, { qos, properties }] = await first;
      assert.deepEqual([topic, payload.toString(), qos], ["ask/1/reply", '{"ok":1.10}', 1]);
      if (!withMqtt5) return;
      assert.deepEqual({ ...properties }, { contentType: "application/json" });

      const second = next();
      const correlationData = Buffer.from([1, 2]);
      await device.publishAsync("call/1", "?", { qos: 1, properties: { responseTopic: "answers/7", correlationData } });
      const [answeredTo, , packet] = await second;
      assert.equal(answeredTo, "answers/7");
      assert.deepEqual({ ...packet.properties }, { contentType: "application/json", correlationData });

      // The broker goes away between the message and the response: the reply comes once it is back.
      const waiting = next();
      receiver.delayMs = 500;
      await device.publishAsync("ask/2", "?", { qos: 1 });
      await receiver.untilCalled(3);
      await mosquitto!.restart();
      assert.equal((await waiting)[0], "ask/2/reply");
    });
  });
}
