/** Server-Sent Events with the real process: each message once, and one subscription for all listeners. */
import assert from "node:assert/strict";
import http from "node:http";
import { describe, it } from "node:test";
import { embedded, mosquittoAndRedis, scenario } from "../support/scenario.ts";

interface Reader {
  events: { id: string; event: { subject: string; data: unknown } }[];
  status: number;
  ended: Promise<void>;
  until(count: number): Promise<void>;
  close(): void;
}

const KEY = "Bearer test-key-0123456789abcdef";

/** Resolves once the stream has begun. */
function read(url: string, authorization = KEY): Promise<Reader> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { headers: { authorization }, agent: false }, (response) => {
      let text = "";
      let look = () => {};
      const reader: Reader = {
        events: [],
        status: response.statusCode!,
        ended: new Promise((end) => response.once("close", end)),
        until: (count) =>
          new Promise((enough) => {
            look = () => {
              if (reader.events.length >= count) enough();
            };
            look();
          }),
        close: () => request.destroy(),
      };
      response.on("error", () => undefined);
      response.on("data", (chunk: Buffer) => {
        text += chunk;
        for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
          const block = text.slice(0, end);
          text = text.slice(end + 2);
          if (block.startsWith(":")) {
            resolve(reader);
            continue;
          }
          const [id, ...data] = block.split("\n");
          const json = data.map((line) => line.slice("data: ".length)).join("\n");
          reader.events.push({ id: id!.slice("id: ".length), event: JSON.parse(json) });
        }
        look();
      });
      response.on("end", () => resolve(reader));
    });
    request.on("error", reject);
  });
}

for (const kind of [embedded, mosquittoAndRedis("5"), mosquittoAndRedis("3.1.1")]) {
  describe(`streams: ${kind.name}`, kind.options, () => {
    const world = scenario(kind);
    const url = (...topics: string[]) =>
      `${world.bridge.url}/v1/stream?${topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join("&")}`;

    it("sends each message once, even if filters overlap", async () => {
      const [one, three] = await Promise.all([read(url("s/#")), read(url("s/#", "s/+/x", "s/a/+"))]);
      for (const [i, topic] of ["s/a/x", "s/a/y", "s/b/x", "t/a/x", "s/end"].entries()) {
        await world.device.publishAsync(topic, `{"i": ${i},\n"text":"a"}`, { qos: 1 });
      }
      for (const reader of [one, three]) {
        await reader.until(4);
        assert.deepEqual(
          reader.events.map(({ event }) => event.subject),
          ["s/a/x", "s/a/y", "s/b/x", "s/end"],
        );
        assert.deepEqual(reader.events[0]!.event.data, { i: 0, text: "a" });
        assert.match(reader.events[0]!.id, /^msg_/);
        reader.close();
      }
    });

    it("does not send retained messages", async () => {
      await world.device.publishAsync("r/1", "old", { qos: 1, retain: true });
      const reader = await read(url("r/#"));
      await world.device.publishAsync("r/2", "new", { qos: 1 });
      await reader.until(1);
      assert.deepEqual(
        reader.events.map(({ event }) => event.subject),
        ["r/2"],
      );
      reader.close();
    });

    it("refuses invalid filters and names them", async () => {
      const { status, body } = await world.bridge.api("GET", "/v1/stream?topic=a&topic=b%23");
      assert.equal(status, 400);
      assert.equal(body.code, "invalid_topic_filter");
      assert.equal(body.errors[0].path, "query.topic[1]");
      assert.equal((await world.bridge.api("GET", "/v1/stream")).status, 400);
    });

    it("lets a key receive only topics that it may read", async () => {
      const input = { name: "watcher", scopes: ["read"], read: ["k/#"] };
      const { body: key } = await world.bridge.api("POST", "/v1/keys", input);
      const reader = await read(url("k/a/+"), `Bearer ${key.key}`);
      assert.equal(reader.status, 200);
      reader.close();
      const refused = await world.bridge.api("GET", "/v1/stream?topic=%23", undefined, {
        authorization: `Bearer ${key.key}`,
      });
      assert.equal(refused.status, 403);
    });

    it("serves a thousand listeners with one subscription and little memory", async () => {
      const memory = async () => {
        const { bytes } = await world.bridge.api("GET", "/metrics");
        return Number(/^process_resident_memory_bytes (\d+)$/m.exec(bytes.toString())![1]) / 1024 / 1024;
      };
      const before = await memory();
      const readers: Reader[] = [];
      for (let i = 0; i < 10; i++)
        readers.push(...(await Promise.all(Array.from({ length: 100 }, () => read(url("m/#"))))));
      for (let i = 0; i < 20; i++) await world.device.publishAsync("m/1", `${i}`, { qos: 1 });
      await Promise.all(readers.map((reader) => reader.until(20)));
      const grown = (await memory()) - before;
      for (const { events } of readers) {
        assert.deepEqual(
          events.map(({ event }) => event.data),
          Array.from({ length: 20 }, (_, i) => i),
        );
      }
      console.log(`# 1,000 listeners: ${Math.round(grown)} MB`);
      assert.ok(grown <= 60, `${grown} MB`);
      // Mosquitto logs one line for each subscription.
      const taken = world.mosquitto?.log.match(/^\d+: causeway-live-\S+ 1 m\/#$/gm);
      if (world.mosquitto) assert.equal(taken?.length, 1, "one subscription at the broker");
      for (const reader of readers) reader.close();
      await world.mosquitto?.waitForLog(/^\d+: causeway-live-\S+ m\/#$/m); // and one for the unsubscription
    });

    it("ends the streams when the process stops", async () => {
      const reader = await read(url("z"));
      await world.bridge.stop();
      await reader.ended;
    });
  });
}
