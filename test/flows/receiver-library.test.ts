/** `causeway-mqtt/receiver` called by a real bridge: each mode, and each response that the library can give. */
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import type { IPublishPacket } from "mqtt";
import { createReceiver, Gone, type ReceivedEvent, RetryLater } from "../../src/receiver/index.ts";
import { eventually } from "../support/eventually.ts";
import type { InProcess } from "../support/in-process.ts";
import { inProcess, mosquittoAndEmbeddedStore, scenario } from "../support/scenario.ts";

const PUBLIC_URL = "https://causeway.example.com";

/** A server with a receiver for each webhook, since each has its own secret. */
class Hooks {
  readonly #handlers = new Map<string, ReturnType<typeof createReceiver>>();
  readonly #server: Server;
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly events: ReceivedEvent[] = [];
  readonly errors: unknown[] = [];

  constructor() {
    this.#server = createServer((request, response) => this.#handlers.get(request.url!)!.node(request, response));
  }

  async listen(): Promise<void> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  add(path: string, secret: string, onMessage: (event: ReceivedEvent) => unknown = () => undefined): string {
    const receiver = createReceiver({
      secret,
      onMessage: (event) => {
        this.events.push(event);
        this.#changes.emit("event");
        return onMessage(event);
      },
      onError: (error) => this.errors.push(error),
      allowedOrigins: [new URL(PUBLIC_URL).hostname],
    });
    this.#handlers.set(path, receiver);
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${path}`;
  }

  /** The events on a topic, once there are so many. */
  async got(topic: string, count: number): Promise<ReceivedEvent[]> {
    for (;;) {
      const found = this.events.filter((event) => event.topic === topic);
      if (found.length >= count) return found;
      await once(this.#changes, "event");
    }
  }
}

/** MQTT 5: user properties, response topic and correlation data. */
const kind = mosquittoAndEmbeddedStore("5");

describe("the receiver library with a bridge", kind.options, () => {
  const world = scenario<InProcess>(kind, {
    run: inProcess(),
    env: { PUBLIC_URL },
    device: { protocolVersion: 5 },
  });
  const hooks = new Hooks();
  before(() => hooks.listen());
  after(() => hooks.close());

  let registered = 0;
  /** Registers a webhook for one topic. */
  async function register(topic: string, fields: object = {}, onMessage?: (event: ReceivedEvent) => unknown) {
    const secret = `whsec_${Buffer.alloc(32, ++registered).toString("base64")}`;
    const url = hooks.add(`/${registered}`, secret, onMessage);
    const { id } = await world.bridge.register({ url, secret, topics: [topic], ...fields });
    await eventually(
      () => world.bridge.api("GET", "/readyz"),
      ({ status }) => status === 200,
    );
    return id;
  }
  const publish = (topic: string, payload: string | Buffer, properties: object = {}) =>
    world.device.publishAsync(topic, payload, { qos: 1, properties });
  const webhook = async (id: string) => (await world.bridge.api("GET", `/v1/webhooks/${id}`)).body;
  const untilCounts = (id: string, wanted: Record<string, number>) =>
    eventually(
      async () => (await webhook(id)).counts,
      (counts) => Object.entries(wanted).every(([status, count]) => counts[status] === count),
    );

  const MODES: [title: string, fields: object][] = [
    ["structured", { mode: "structured" }],
    ["binary", { mode: "binary" }],
    ["batch", { batch: { maxSize: 10, maxWaitMs: 50 } }],
  ];
  for (const [mode, fields] of MODES) {
    it(`takes a message in ${mode} mode with all its properties`, async () => {
      const topic = `${mode}/geräte/é%/💡`;
      const id = await register(topic, fields);
      await publish(topic, "21.50", {
        responseTopic: "replies/ü",
        correlationData: Buffer.from([0, 255]),
        userProperties: { unit: "°C", many: ["1", "2"] },
      });
      await publish(topic, Buffer.from([0, 1, 255]), { contentType: "application/cbor" });
      const events = (await hooks.got(topic, 2)).sort((a, b) => (a.id < b.id ? -1 : 1));
      const [json, bytes] = events as [ReceivedEvent, ReceivedEvent];
      assert.deepEqual([json.text(), json.json(), json.contentType], ["21.50", 21.5, "application/json"]);
      assert.deepEqual([json.type, json.qos, json.retained, json.attempt], ["mqtt.message", 1, false, 1]);
      assert.deepEqual([json.responseTopic, [...json.correlationData!]], ["replies/ü", [0, 255]]);
      assert.deepEqual(json.userProperties, { unit: "°C", many: ["1", "2"] });
      assert.deepEqual([[...bytes.bytes()], bytes.contentType], [[0, 1, 255], "application/cbor"]);
      assert.ok(Math.abs(Date.now() - json.time.getTime()) < 600_000);
      await untilCounts(id, { succeeded: 2 });
      assert.deepEqual(hooks.errors, []);
    });
  }

  it("has only the failed events of a batch delivered again", async () => {
    const fail = ({ attempt, text }: ReceivedEvent) => {
      if (attempt === 1 && text() === "2") throw new Error("not yet");
    };
    const fields = { batch: { maxSize: 3, maxWaitMs: 500 }, retry: { scheduleSeconds: [0.2] } };
    const id = await register("batch/partial", fields, fail);
    for (const payload of ["1", "2", "3"]) await publish("batch/partial", payload);
    await untilCounts(id, { succeeded: 3 });
    const events = await hooks.got("batch/partial", 4);
    assert.deepEqual(events.map((event) => event.text()).sort(), ["1", "2", "2", "3"]);
    const failed = events.find((event) => event.text() === "2")!;
    const { body } = await world.bridge.api("GET", `/v1/webhooks/${id}/deliveries/${failed.id}`);
    assert.deepEqual(
      body.attemptLog.map(({ error }: { error: string | null }) => error),
      ["not_accepted", null],
    );
    assert.equal(hooks.errors.splice(0).length, 1);
  });

  it("has an event delivered again after an error", async () => {
    const id = await register("again", { retry: { scheduleSeconds: [0.1] } }, ({ attempt }) => {
      if (attempt === 1) throw new Error("secret detail");
    });
    await publish("again", "1");
    const events = await hooks.got("again", 2);
    assert.deepEqual(
      events.map(({ attempt }) => attempt),
      [1, 2],
    );
    assert.equal(events[0]!.id, events[1]!.id);
    await untilCounts(id, { succeeded: 1 });
    const { body } = await world.bridge.api("GET", `/v1/webhooks/${id}/deliveries/${events[0]!.id}`);
    assert.equal(body.attemptLog[0].statusCode, 500);
    assert.ok(!JSON.stringify(body).includes("secret detail"));
    assert.equal(hooks.errors.splice(0).length, 1);
  });

  it("makes the bridge wait with RetryLater, which uses up no attempt", async () => {
    const seen: number[] = [];
    const id = await register("later", { retry: { scheduleSeconds: [] } }, () => {
      seen.push(Date.now());
      if (seen.length === 1) throw new RetryLater(1);
    });
    await publish("later", "1");
    await untilCounts(id, { succeeded: 1 });
    assert.equal(seen.length, 2);
    assert.ok(seen[1]! - seen[0]! >= 900, `${seen[1]! - seen[0]!} ms`);
  });

  it("has the webhook disabled with Gone, and its delivery kept", async () => {
    const id = await register("gone", {}, () => {
      throw new Gone();
    });
    await publish("gone", "1");
    const { counts } = await eventually(
      () => webhook(id),
      ({ state }) => state === "disabled",
    );
    assert.deepEqual([counts.failed, counts.succeeded, counts.pending + counts.retrying + counts.active], [0, 0, 1]);
    assert.deepEqual(hooks.errors, []);
  });

  it("replies to the response topic", async () => {
    await register("ask", { replyTopic: "{responseTopic}" }, ({ json }) => ({ twice: 2 * json<number>() }));
    const replied = new Promise<[string, Buffer, IPublishPacket]>((resolve) => {
      world.device.once("message", (...reply) => resolve(reply));
    });
    await world.device.subscribeAsync("answers/1");
    await publish("ask", "21", { responseTopic: "answers/1", correlationData: Buffer.from("c1") });
    const [topic, payload, { properties = {} }] = await replied;
    assert.deepEqual([topic, String(payload)], ["answers/1", '{"twice":42}']);
    assert.deepEqual([properties.contentType, String(properties.correlationData)], ["application/json", "c1"]);
  });

  it("passes the ownership check", async () => {
    const id = await register("owned", { verify: true });
    const { state, verification } = await webhook(id);
    assert.deepEqual([state, verification.state], ["active", "verified"]);
    await publish("owned", "1");
    await hooks.got("owned", 1);
  });

  it("takes a test event", async () => {
    const id = await register("tested");
    const known = hooks.events.length;
    await world.bridge.api("POST", `/v1/webhooks/${id}/test`);
    await untilCounts(id, { succeeded: 1 });
    const [event] = hooks.events.slice(known);
    assert.deepEqual([event!.type, event!.qos, hooks.errors], ["webhook.test", undefined, []]);
  });
});
