/** `retained: "deliver"`: existing retained messages are delivered once. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readEvent } from "../support/events.ts";
import { embedded, mosquittoAndRedis, startScenario } from "../support/scenario.ts";

for (const kind of [embedded, mosquittoAndRedis("5")]) {
  describe(`retained messages: ${kind.name}`, kind.options, () => {
    it("are delivered once each, only to the new webhook, and not again after a restart", {}, async (t) => {
      const { bridge, receiver, device, addReceiver } = await startScenario(t, kind);
      const other = await addReceiver();
      await bridge.register({ url: other.url, topics: ["state/#"] });
      for (const topic of ["state/a", "state/b", "else/c"]) {
        await device.publishAsync(topic, `"${topic}"`, { qos: 1, retain: true });
      }
      await other.untilCalled(2);
      const webhook = {
        url: receiver.url,
        topics: ["state/+", "state/#", "+/b"],
        retained: "deliver",
        ordering: "topic",
      };
      const { secret, id } = await bridge.register(webhook);
      await receiver.untilCalled(2);
      const events = receiver.calls.map((call) => readEvent(call, secret));
      assert.deepEqual(events.map(({ subject, data, mqttretain }) => [subject, data, mqttretain]).sort(), [
        ["state/a", "state/a", true],
        ["state/b", "state/b", true],
      ]);
      const shown = (await bridge.api("GET", `/v1/webhooks/${id}`)).body;
      assert.deepEqual([shown.retained, "snapshot" in shown], ["deliver", false]);

      await bridge.stop();
      await bridge.start();
      await bridge.readiness(200);
      await device.publishAsync("state/a", '"later"', { qos: 1, retain: true });
      await receiver.untilCalled(3);
      assert.deepEqual(readEvent(receiver.calls[2]!, secret).data, "later");
      assert.equal(receiver.calls.length, 3);
      assert.equal(other.calls.length, 3);
    });
  });
}

const kind = mosquittoAndRedis("5");
describe("retained messages while the broker is away", kind.options, () => {
  it("are delivered once it is back, also by another run of the bridge", async (t) => {
    const persistent = { mosquitto: { persistence: true } };
    const { bridge, receiver, device, mosquitto } = await startScenario(t, kind, persistent);
    await device.publishAsync("state/a", "1", { qos: 1, retain: true });
    await device.endAsync();
    await mosquitto!.stop();
    const webhook = { url: receiver.url, topics: ["state/+"], retained: "deliver" };
    assert.equal((await bridge.api("POST", "/v1/webhooks", webhook)).status, 201);
    await bridge.kill();
    await bridge.start();
    await mosquitto!.restart();
    await receiver.untilCalled(1, 60_000);
    assert.equal(JSON.parse(receiver.calls[0]!.body.toString()).mqttretain, true);
  });
});
