/** `DELETE /v1/requests/{id}`: before the request is published, after that, and after the response. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { connectAsync, type MqttClient } from "mqtt";
import type { TestBridge } from "../support/bridge.ts";
import { eventually } from "../support/eventually.ts";
import { startInstances } from "../support/instances.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { embedded, mosquittoAndRedis, startScenario } from "../support/scenario.ts";

const OWN = { topic: "devices/7/requests/{requestId}", responseTopic: "devices/7/responses/{requestId}" };
const ASYNC = { prefer: "respond-async" };

const ask = (bridge: TestBridge) => bridge.api("POST", "/v1/requests", OWN, ASYNC);
const read = async (bridge: TestBridge, id: string) => (await bridge.api("GET", `/v1/requests/${id}`)).body.outcome;
const cancel = (bridge: TestBridge, id: string) => bridge.api("DELETE", `/v1/requests/${id}`);

async function startDevice(t: TestContext, url: string) {
  const device = await connectAsync(url);
  t.after(() => device.endAsync(true));
  const asked: string[] = [];
  device.on("message", (topic) => asked.push(topic));
  await device.subscribeAsync("devices/+/requests/+", { qos: 1 });
  return { device, asked };
}

const respond = (device: MqttClient, id: string) => device.publishAsync(`devices/7/responses/${id}`, "x", { qos: 1 });
const lateOf = async (bridge: TestBridge) =>
  Number(/answers_late_total (\d+)/.exec((await bridge.api("GET", "/metrics")).bytes.toString())![1]);

for (const kind of [embedded, mosquittoAndRedis("5"), mosquittoAndRedis("3.1.1")]) {
  describe(`cancelling a request: ${kind.name}`, kind.options, () => {
    it("works after it was published, but not after the response", async (t) => {
      const { bridge, brokerUrl } = await startScenario(t, kind);
      const { device, asked } = await startDevice(t, brokerUrl);
      const { id } = (await ask(bridge)).body;
      await eventually(() => asked.includes(`devices/7/requests/${id}`), "it holds in time");
      for (const _twice of [1, 2]) assert.equal((await cancel(bridge, id)).status, 204);
      assert.equal(await read(bridge, id), "cancelled");
      await respond(device, id);
      await eventually(async () => (await lateOf(bridge)) === 1, "it holds in time");
      assert.equal(await read(bridge, id), "cancelled");

      const second = (await ask(bridge)).body.id;
      await eventually(() => asked.includes(`devices/7/requests/${second}`), "it holds in time");
      await respond(device, second);
      await eventually(async () => (await read(bridge, second)) === "responded", "it holds in time");
      const refused = await cancel(bridge, second);
      assert.deepEqual([refused.status, refused.body.code], [409, "conflict"]);
      assert.equal(await read(bridge, second), "responded");
      assert.equal(
        (
          await cancel(
            bridge,
            id.replace(/.$/, (last: string) => (last === "0" ? "1" : "0")),
          )
        ).status,
        404,
      );
    });
  });
}

describe("cancelling a request", requireOrSkip("mosquitto", "redis-server"), () => {
  it("prevents the publication of a waiting request", async (t) => {
    const { bridge, mosquitto, brokerUrl } = await startScenario(t, mosquittoAndRedis("5"));
    await mosquitto!.stop();
    const [first, second] = [(await ask(bridge)).body.id, (await ask(bridge)).body.id];
    for (const id of [second, first]) assert.equal((await cancel(bridge, id)).status, 204);
    for (const id of [second, first]) assert.equal(await read(bridge, id), "cancelled");
    await mosquitto!.restart();
    const { asked } = await startDevice(t, brokerUrl);
    const third = (await ask(bridge)).body.id;
    await eventually(() => asked.length > 0, "it holds in time");
    assert.deepEqual(asked, [`devices/7/requests/${third}`]);
  });

  it("works at another instance than the one that accepted it", async (t) => {
    const { bridges, mosquitto } = await startInstances(t);
    const [a, b] = bridges as [TestBridge, TestBridge];
    const { device, asked } = await startDevice(t, mosquitto.url);
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const { id } = (await ask(from)).body;
      await eventually(() => asked.includes(`devices/7/requests/${id}`), "it holds in time");
      assert.equal((await cancel(to, id)).status, 204);
      for (const bridge of [a, b]) assert.equal(await read(bridge, id), "cancelled");
      await respond(device, id);
    }
    await eventually(async () => (await lateOf(a)) + (await lateOf(b)) === 2, "it holds in time");
  });
});
