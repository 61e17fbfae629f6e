/** Requests to a device over HTTP and their responses: synchronous and stored, on every kind of broker. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import type { IPublishPacket } from "mqtt";
import { eventually } from "../support/eventually.ts";
import { embedded, mosquittoAndRedis, scenario } from "../support/scenario.ts";

for (const kind of [embedded, mosquittoAndRedis("5"), mosquittoAndRedis("3.1.1")]) {
  const five = kind.broker === "5";
  describe(`requests: ${kind.name}`, kind.options, () => {
    const world = scenario(kind, { device: { protocolVersion: five ? 5 : 4 } });
    /** Handles a request at the device. */
    let onRequest: (topic: string, payload: Buffer, packet: IPublishPacket) => void;

    before(async () => {
      const { device } = world;
      await device.subscribeAsync("devices/#", { qos: 1 });
      device.on("message", (topic, payload, packet) => {
        if (topic.includes("/requests")) onRequest(topic, payload, packet);
      });
      echo();
    });

    /** Makes the device echo the request on the response topic that corresponds to the request's topic. */
    function echo() {
      onRequest = (topic, payload) => world.device.publish(topic.replace("requests", "responses"), payload, { qos: 1 });
    }
    const ask = (body: object, headers: Record<string, string> = {}) =>
      world.bridge.api("POST", "/v1/requests", body, headers);
    const OWN = { topic: "devices/7/requests/{requestId}", responseTopic: "devices/7/responses/{requestId}" };

    it("returns the device's response", async () => {
      const { status, body, bytes } = await ask({ ...OWN, payload: { n: 1, id: "{requestId}" } });
      assert.equal(status, 200, bytes.toString());
      assert.match(body.id, /^req_/);
      assert.equal(body.outcome, "responded");
      assert.equal(body.response.topic, `devices/7/responses/${body.id}`);
      assert.deepEqual(body.response.payload, { n: 1, id: body.id });
      assert.ok(body.durationMs > 0);
    });

    it("passes payloads on byte for byte", async () => {
      for (const [payload, text] of [
        ["1.10", '"payload":1.10,'],
        ["plain", '"payload":"plain",'],
        ['"quoted"', '"payload":"\\"quoted\\"",'],
        ["", '"payload":"",'],
      ]) {
        const { bytes } = await ask({ ...OWN, payload });
        assert.ok(bytes.toString().includes(text!), bytes.toString());
      }
      const { body } = await ask({ ...OWN, payloadBase64: "/wA=" });
      assert.equal(body.response.payloadBase64, "/wA=");
    });

    it("gives each of 200 concurrent requests its own response", async () => {
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, n) => ask({ ...OWN, payload: { n, id: "{requestId}" } })),
      );
      for (const [n, { status, body }] of answers.entries()) {
        assert.equal(status, 200);
        assert.deepEqual(body.response.payload, { n, id: body.id });
      }
    });

    it("takes the first message with match first", async () => {
      onRequest = () => world.device.publish("devices/8/answers", "hello");
      const asked = { topic: "devices/8/requests", responseTopic: "devices/8/answers", match: "first" };
      const { status, body } = await ask(asked);
      assert.equal(status, 200);
      assert.equal(body.response.payload, "hello");
      echo();
    });

    it("matches responses on one topic by their correlation data, on MQTT 5", async () => {
      const asked = { topic: "devices/9/requests", responseTopic: "devices/9/answers", match: "correlation" };
      if (!five) {
        const { status, body } = await ask(asked);
        assert.equal(status, 400);
        assert.equal(body.errors[0].path, "match");
        return;
      }
      const held: { payload: Buffer; packet: IPublishPacket }[] = [];
      onRequest = (_topic, payload, packet) => {
        held.push({ payload, packet });
        if (held.length < 3) return;
        // The device responds in reverse order, and adds one response that matches no request.
        world.device.publish("devices/9/answers", "?", { properties: { correlationData: Buffer.from("nobody") } });
        for (const { payload: asked, packet } of held.reverse()) {
          const { responseTopic, correlationData } = packet.properties!;
          world.device.publish(responseTopic!, asked, {
            qos: 1,
            properties: { correlationData: correlationData!, userProperties: { status: "200" } },
          });
        }
      };
      const answers = await Promise.all(["a", "b", "c"].map((payload) => ask({ ...asked, payload })));
      assert.deepEqual(
        answers.map(({ body }) => body.response.payload),
        ["a", "b", "c"],
      );
      assert.equal(answers[0]!.body.response.status, "200");
      echo();
    });

    it("uses its own response topic when none is given, on MQTT 5", async () => {
      if (!five) return;
      onRequest = (_topic, payload, { properties }) => world.device.publish(properties!.responseTopic!, payload);
      const { status, body } = await ask({ topic: "devices/10/requests", payload: "x" });
      assert.equal(status, 200);
      assert.equal(body.response.payload, "x");
      echo();
    });

    it("answers 504 when the device does not respond, and counts the late response", async () => {
      let topic = "";
      onRequest = (name) => {
        topic = name;
      };
      const { status, body } = await ask({ ...OWN, timeoutSeconds: 0.3 });
      assert.equal(status, 504);
      assert.equal(body.code, "request_timeout");
      await world.device.publishAsync(topic.replace("requests", "responses"), "late", { qos: 1 });
      for (let late = 0; late < 1; ) {
        const { bytes } = await world.bridge.api("GET", "/metrics");
        late = Number(/^causeway_request_answers_late_total (\d+)$/m.exec(bytes.toString())![1]);
      }
      echo();
    });

    it("refuses unworkable requests and names the field", async () => {
      for (const [body, path] of [
        [{ topic: "a/#" }, "topic"],
        [{ topic: "a", responseTopic: "b/+" }, "responseTopic"],
        [{ topic: "a", responseTopic: "b", match: "topic" }, "responseTopic"],
        [{ topic: "a", responseTopic: "{requestId}/b" }, "responseTopic"],
        [{ topic: "a", timeoutSeconds: 61 }, "timeoutSeconds"],
        [{ topic: "a", expirySeconds: 604_801 }, "expirySeconds"],
        [{ topic: "a", retain: true }, "retain"],
      ] as const) {
        const answer = await ask(body);
        assert.equal(answer.status, 400, JSON.stringify(body));
        assert.equal(answer.body.errors[0].path, path);
      }
    });

    it("keeps an asynchronous request, and gets its response sent while the bridge was down", async () => {
      const stored = { ...OWN, payload: { id: "{requestId}" }, expirySeconds: 60 };
      let topic = "";
      const asked = new Promise<void>((resolve) => {
        onRequest = (name) => {
          topic = name;
          resolve();
        };
      });
      const { status, body, headers } = await ask(stored, { prefer: "respond-async" });
      assert.equal(status, 202);
      assert.equal(body.outcome, "pending");
      assert.equal(headers.get("location"), `/v1/requests/${body.id}`);
      await asked;
      assert.equal((await world.bridge.api("GET", `/v1/requests/${body.id}`)).body.outcome, "pending");
      // The embedded broker ends with the bridge, so the device has to respond before.
      if (kind !== embedded) await world.bridge.kill();
      await world.device.publishAsync(topic.replace("requests", "responses"), '{"done":1.10}', { qos: 1 });
      if (kind !== embedded) await world.bridge.start();
      const { body: state, bytes } = await eventually(
        () => world.bridge.api("GET", `/v1/requests/${body.id}`),
        (answer) => answer.body.outcome !== "pending",
      );
      assert.equal(state.outcome, "responded");
      assert.match(bytes.toString(), /"payload":\{"done":1\.10\}/);
      echo();
    });

    it("reports expired requests, and 404 for unknown ones", async () => {
      onRequest = () => undefined;
      const { body } = await ask({ ...OWN, expirySeconds: 1 }, { prefer: "respond-async" });
      const { body: state } = await eventually(
        () => world.bridge.api("GET", `/v1/requests/${body.id}`),
        (answer) => answer.body.outcome !== "pending",
      );
      assert.equal(state.outcome, "expired");
      assert.equal((await world.bridge.api("GET", "/v1/requests/req_none")).status, 404);
      echo();
    });
  });
}
