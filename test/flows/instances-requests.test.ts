/** Requests to devices with two instances: any instance accepts them, and all instances have the response. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { connectAsync, type MqttClient } from "mqtt";
import type { TestBridge } from "../support/bridge.ts";
import { eventually } from "../support/eventually.ts";
import { type Closing, receiverStatusOf, startInstances } from "../support/instances.ts";
import { requireOrSkip } from "../support/requirements.ts";

const OWN = { topic: "devices/7/requests/{requestId}", responseTopic: "devices/7/responses/{requestId}" };
const ASYNC = { prefer: "respond-async" };
const VISIBLE_MS = 15_000;

interface Parts {
  /** The receiving instance. */
  a: TestBridge;
  b: TestBridge;
  device: MqttClient;
  /** Replaces the device's handler; the initial one echoes the request. */
  on(request: (topic: string, payload: Buffer) => void): void;
}

async function start(t: Closing, protocol: "5" | "3.1.1"): Promise<Parts> {
  const { bridges, mosquitto } = await startInstances(t, { protocol });
  const device = await connectAsync(mosquitto.url, { protocolVersion: protocol === "5" ? 5 : 4 });
  t.after(() => device.endAsync(true));
  await device.subscribeAsync("devices/+/requests/+", { qos: 1 });
  let act = (topic: string, payload: Buffer): void => {
    device.publish(topic.replace("requests", "responses"), payload, { qos: 1 });
  };
  device.on("message", (topic, payload) => act(topic, payload));
  const [a, b] = bridges as [TestBridge, TestBridge];
  assert.equal((await receiverStatusOf(a)).here, true);
  return {
    a,
    b,
    device,
    on: (request) => {
      act = request;
    },
  };
}

async function answered(bridge: TestBridge, id: string): Promise<Record<string, unknown>> {
  const { body } = await eventually(
    () => bridge.api("GET", `/v1/requests/${id}`),
    (answer) => answer.body.outcome !== "pending",
    VISIBLE_MS,
  );
  assert.equal(body.outcome, "responded");
  return body;
}

for (const protocol of ["5", "3.1.1"] as const) {
  describe(`requests over two instances, MQTT ${protocol}`, requireOrSkip("mosquitto", "redis-server"), () => {
    let parts: Parts;
    const closing: (() => Promise<unknown>)[] = [];
    before(async () => {
      parts = await start({ after: (close) => void closing.push(close) }, protocol);
    });
    after(() => Promise.all(closing.map((close) => close())));

    it("gives each of many concurrent requests its own response on any instance", async () => {
      const { a, b } = parts;
      const asked = Array.from({ length: 100 }, (_, n) => ({ n, bridge: n % 2 ? a : b }));
      const answers = await Promise.all(
        asked.map(({ n, bridge }) =>
          bridge.api("POST", "/v1/requests", { ...OWN, payload: { n, id: "{requestId}" }, timeoutSeconds: 20 }),
        ),
      );
      for (const [n, { status, body }] of answers.entries()) {
        assert.equal(status, 200);
        assert.equal(body.response.topic, `devices/7/responses/${body.id}`);
        assert.deepEqual(body.response.payload, { n, id: body.id });
      }
    });

    it("shows a stored request's response on both, and publishes no request before its response is subscribed", async () => {
      const { a, b } = parts;
      // One filter per request: the receiving instance has to subscribe each one for the other instance.
      for (let i = 0; i < 10; i++) {
        const [topic, responseTopic] = [`devices/${i}/requests/x`, `devices/${i}/responses/x`];
        const { status, body } = await b.api(
          "POST",
          "/v1/requests",
          { topic, responseTopic, match: "first", payload: { i } },
          ASYNC,
        );
        assert.equal(status, 202);
        for (const bridge of [b, a]) {
          const { response } = (await answered(bridge, body.id)) as { response: { payload: unknown } };
          assert.deepEqual(response.payload, { i });
        }
      }
    });

    it("shows a response that arrived after the receiving instance was killed", async (t) => {
      const { a, b, device, on } = parts;
      const reached = new Promise<string>((resolve) => on(resolve));
      const { status, body } = await b.api("POST", "/v1/requests", { ...OWN, payload: "x" }, ASYNC);
      assert.equal(status, 202);
      const topic = await reached;
      assert.equal(topic, `devices/7/requests/${body.id}`);
      await a.kill();
      await device.publishAsync(topic.replace("requests", "responses"), '{"done":1.10}', { qos: 1 });
      const killed = performance.now();
      assert.deepEqual((await answered(b, body.id)).response, {
        ...((await answered(b, body.id)).response as object),
        payload: { done: 1.1 },
      });
      t.diagnostic(`the answer was known ${Math.round(performance.now() - killed)} ms after the kill`);
      await a.start();
      assert.equal((await answered(a, body.id)).outcome, "responded");
      assert.equal((await receiverStatusOf(b)).here, true);
    });
  });
}
