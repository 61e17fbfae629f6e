/** Payload formats with the real process: names of Sparkplug survive a kill, and every way out shows decoded data. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodePayload } from "../../src/formats/formats.ts";
import { readEvent } from "../support/events.ts";
import { eventually } from "../support/eventually.ts";
import { embedded, mosquittoAndRedis, scenario } from "../support/scenario.ts";

type Json = Record<string, unknown>;

const CBOR = Buffer.from("a1687072657373757265fb3ff8000000000000", "hex");

function sparkplug(payload: Json): Buffer {
  return Buffer.from(encodePayload("sparkplug", JSON.stringify(payload)) as Uint8Array);
}

for (const kind of [embedded, mosquittoAndRedis("5")]) {
  describe(`payload formats: ${kind.name}`, kind.options, () => {
    const world = scenario(kind);

    const register = (path: string, topics: string[], fields: Json) =>
      world.bridge.register({ url: `${world.receiver.url}/${path}`, topics, ...fields });
    const calls = (path: string) => world.receiver.calls.filter((call) => call.path === `/${path}`);
    const eventsOf = async (path: string, secret: string, count: number) => {
      await world.receiver.until(() => calls(path).length >= count);
      return calls(path).map((call) => readEvent(call, secret));
    };

    it("delivers NDATA with the names of the BIRTH before it, also after a kill and a newer BIRTH", async () => {
      const { id, secret } = await register("plant", ["spBv1.0/plant/#"], {
        payloadFormat: "sparkplug",
        ordering: "strict",
      });
      const publish = (type: string, payload: Buffer) =>
        world.device.publishAsync(`spBv1.0/plant/${type}/node`, payload, { qos: 1 });
      const birth = (name: string) => sparkplug({ metrics: [{ name, alias: 1, dataType: "Int32", value: 0 }], seq: 0 });
      // A metric with alias 1 and value -5, without name and data type.
      const data = Buffer.from("1208100150fbffffff0f", "hex");
      await publish("NBIRTH", birth("pressure"));
      await publish("NDATA", data);
      const [, before] = await eventsOf("plant", secret, 2);
      const metrics = (name: string) => [{ name, alias: 1, dataType: "Int32", value: -5 }];
      assert.deepEqual((before!.data as Json).metrics, metrics("pressure"));

      await world.bridge.api("POST", `/v1/webhooks/${id}/pause`);
      await publish("NDATA", data);
      await publish("NBIRTH", birth("temperature"));
      await publish("NDATA", data);
      // A message that comes again after the kill is a new one, after the newer BIRTH.
      await eventually(
        async () => Object.values<number>((await world.bridge.api("GET", `/v1/webhooks/${id}`)).body.counts),
        (counts) => counts.reduce((sum, count) => sum + count, 0) === 5,
      );
      await world.bridge.kill();
      await world.bridge.start();
      await world.bridge.api("POST", `/v1/webhooks/${id}/resume`);
      // The broker sends again what the killed bridge had not acknowledged: any of the three may come twice.
      const readings = () => calls("plant").map((call) => (readEvent(call, secret).data as Json).metrics as Json[]);
      const isNewBirth = ([metric]: Json[]) => metric!.name === "temperature" && metric!.value === 0;
      const afterBirth = () =>
        readings()
          .slice(readings().findIndex(isNewBirth))
          .find((metric) => !isNewBirth(metric));
      await world.receiver.until(() => readings().some(isNewBirth) && afterBirth() !== undefined);
      assert.deepEqual(readings()[2], metrics("pressure"), "delivered after the newer BIRTH");
      assert.deepEqual(afterBirth(), metrics("temperature"));
    });

    it("filters, transforms and pulls decoded data, and keeps the bytes that it cannot decode", async () => {
      const { secret } = await register("cbor", ["cbor"], {
        payloadFormat: "cbor",
        filter: "$exists(mqttdecodeerror) or data.pressure > 1",
      });
      const pulled = await world.bridge.register({ type: "pull", topics: ["cbor"], payloadFormat: "cbor" });
      await world.bridge.api("POST", "/v1/messages", {
        topic: "cbor",
        payload: { pressure: 1.5 },
        payloadFormat: "cbor",
      });
      await world.device.publishAsync("cbor", Buffer.from("{}"), { qos: 1 });
      const events = await eventsOf("cbor", secret, 2);
      const good = events.find(({ mqttdecodeerror }) => mqttdecodeerror === undefined)!;
      const bad = events.find(({ mqttdecodeerror }) => mqttdecodeerror !== undefined)!;
      assert.deepEqual([good.data, good.datacontenttype], [{ pressure: 1.5 }, "application/json"]);
      assert.equal(bad.data_base64, Buffer.from("{}").toString("base64"));

      const { body } = await world.bridge.api("POST", `/v1/webhooks/${pulled.id}/pull`, { waitSeconds: 5 });
      assert.deepEqual(body.items[0].event.data, { pressure: 1.5 });
    });

    it("encodes what the device receives, previews it, and names the field of a fault", async () => {
      const received = new Promise<Buffer>((resolve) =>
        world.device.once("message", (_topic, payload) => resolve(payload)),
      );
      await world.device.subscribeAsync("devices/pi", { qos: 1 });
      const published = await world.bridge.api("POST", "/v1/messages", {
        topic: "devices/pi",
        payload: { pressure: 1.5 },
        payloadFormat: "msgpack",
      });
      assert.equal(published.status, 200);
      assert.equal((await received).toString("hex"), "81a87072657373757265cb3ff8000000000000");

      const webhook = { url: world.receiver.url, topics: ["t"], payloadFormat: "cbor", mode: "binary" };
      const message = { topic: "t", payloadBase64: CBOR.toString("base64") };
      const preview = await world.bridge.api("POST", "/v1/webhooks/preview", { webhook, message });
      assert.equal(preview.body.request.body, '{"pressure":1.5}');

      const wrong = await world.bridge.api("POST", "/v1/messages", {
        topic: "t",
        payload: { metrics: [{ name: "a", dataType: "Int8", value: 300 }] },
        payloadFormat: "sparkplug",
      });
      assert.deepEqual([wrong.status, wrong.body.errors[0].path], [400, "payload.metrics[0].value"]);
    });
  });
}
