/** Embedded broker and store: durable data survives kill -9, and two processes do not share one data directory. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import { connect, connectAsync, type MqttClient } from "mqtt";
import { assertBooksClose } from "../support/books.ts";
import { startTestBridge, type TestBridge } from "../support/bridge.ts";
import { freePort } from "../support/ports.ts";
import { startProcess } from "../support/processes.ts";
import { MAIN } from "../support/program.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";

const COUNT = 50;
const SLEEPY = { clientId: "sleepy-device", clean: false, reconnectPeriod: 0 };
/** Long enough to be killed between attempts. */
const RETRY = { scheduleSeconds: Array(30).fill(1) };

type Shown = Record<string, unknown>;

describe("embedded broker and store after kill -9", () => {
  let bridge: TestBridge;
  let receiver: Receiver;
  let device: MqttClient;
  let brokerUrl: string;
  let paused: { id: string };
  let retrying: { id: string };
  let webhooksBefore: Shown[];

  const callsOf = (path: string) => receiver.calls.filter((call) => call.path === path);
  const attemptsOf = (path: string) => receiver.attempts.filter((call) => call.path === path);
  const numbered = (prefix: string) => Array.from({ length: COUNT }, (_, i) => `${prefix}${i}`);
  const webhooks = async (): Promise<Shown[]> => (await bridge.api("GET", "/v1/webhooks")).body.items;

  before(async () => {
    bridge = await startTestBridge();
    receiver = await startReceiver();
    brokerUrl = `mqtt://127.0.0.1:${bridge.brokerPort}`;
    device = await connectAsync(brokerUrl, { reconnectPeriod: 100 });
    device.on("error", () => {}); // it reconnects

    paused = await bridge.register({ url: `${receiver.url}/paused`, topics: ["paused"], enabled: false, name: "Ü" });
    for (const payload of numbered("p")) await device.publishAsync("paused", payload, { qos: 1 });

    receiver.answer = ({ path }) => (path === "/retrying" ? 500 : 204);
    retrying = await bridge.register({ url: `${receiver.url}/retrying`, topics: ["retrying"], retry: RETRY });
    await device.publishAsync("retrying", "again", { qos: 1 });
    await receiver.until(() => attemptsOf("/retrying").length >= 2);

    await device.publishAsync("config/a", "one", { qos: 1, retain: true });
    await bridge.api("PUT", "/v1/topics/config/b?qos=1", "two");
    await device.publishAsync("config/c", "three", { qos: 1, retain: true });
    await bridge.api("DELETE", "/v1/topics/config/c?qos=1");

    const sleepy = await connectAsync(brokerUrl, SLEEPY);
    await sleepy.subscribeAsync("to/sleepy", { qos: 1 });
    await sleepy.endAsync();
    for (const payload of numbered("s"))
      await bridge.api("POST", "/v1/messages", { topic: "to/sleepy", payload, qos: 1 });

    webhooksBefore = await webhooks();
    await bridge.kill();
    await bridge.start();
  });
  after(async () => {
    await device.endAsync(true);
    if (bridge.running) await bridge.stop();
    await receiver.close();
  });

  it("keeps webhooks", async () => {
    const known = (items: Shown[]) => items.map(({ counts: _, ...webhook }) => webhook);
    assert.deepEqual(known(await webhooks()), known(webhooksBefore));
    assert.deepEqual(
      (await webhooks()).map(({ id, state }) => [id, state]),
      [
        [paused.id, "paused"],
        [retrying.id, "active"],
      ],
    );
  });

  it("keeps the waiting deliveries of a paused webhook, and sends them all once it is enabled", async () => {
    const { body } = await bridge.api("GET", `/v1/webhooks/${paused.id}`);
    assert.equal(body.counts.pending, COUNT);
    assert.equal(callsOf("/paused").length, 0);
    const enabled = await bridge.api("PATCH", `/v1/webhooks/${paused.id}`, { enabled: true });
    assert.equal(enabled.body.state, "active");
    await receiver.until(() => callsOf("/paused").length >= COUNT);
    const payloads = callsOf("/paused").map((call) => JSON.parse(call.body.toString()).data);
    assert.deepEqual(payloads.sort(), numbered("p").sort());
  });

  it("keeps a delivery in retry with its id and its attempts", async () => {
    receiver.answer = () => 204;
    await receiver.until(() => callsOf("/retrying").length === 1);
    const [first] = attemptsOf("/retrying");
    const [call] = callsOf("/retrying");
    assert.equal(call!.headers["webhook-id"], first!.headers["webhook-id"]);
    assert.ok(Number(call!.headers["causeway-attempt"]) > 2);
    await assertBooksClose(bridge, { receiver });
  });

  it("keeps retained messages, and the removal of one", async () => {
    const retained = (topic: string) => bridge.api("GET", `/v1/topics/${topic}`);
    assert.equal((await retained("config/a")).bytes.toString(), "one");
    assert.equal((await retained("config/b")).bytes.toString(), "two");
    assert.equal((await retained("config/c")).body.code, "no_retained_message");
    const later = await connectAsync(brokerUrl, { reconnectPeriod: 0 });
    const got = collect(later, (messages) => messages.length === 3);
    await later.subscribeAsync("config/#", { qos: 1 });
    await later.publishAsync("config/end", "", { qos: 1 });
    assert.deepEqual((await got).sort(), ["", "one", "two"]);
    await later.endAsync();
  });

  it("keeps a device's session and its queued messages in order", async () => {
    await bridge.api("POST", "/v1/messages", { topic: "to/sleepy", payload: "last", qos: 1 });
    const awake = connect(brokerUrl, SLEEPY);
    const got = await collect(awake, (messages) => messages.at(-1) === "last");
    assert.deepEqual(got, [...numbered("s"), "last"], "without subscribing again");
    await awake.endAsync();
  });

  it("refuses a second process on the same data with exit code 78", async () => {
    const second = startProcess(process.execPath, [...MAIN], {
      env: { PORT: "0", BROKER_PORT: "0", DATA_DIR: bridge.dataDir, API_KEY: "test-key-0123456789abcdef" },
    });
    assert.deepEqual(await second.exited, { code: 78, signal: null });
    assert.match(second.output, /cannot start: The data directory \S+ is in use by another process.*\(DATA_DIR\)/);

    const delivered = callsOf("/paused").length;
    await device.publishAsync("paused", "undisturbed", { qos: 1 });
    await receiver.until(() => callsOf("/paused").length > delivered);
  });

  it("survives that the broker's port is taken, reports it, and works", async (t) => {
    await bridge.stop();
    const port = await freePort();
    const other = createServer((socket) => socket.destroy()).listen(port, "127.0.0.1");
    await once(other, "listening");
    bridge = await startTestBridge({ DATA_DIR: bridge.dataDir, BROKER_PORT: String(port) });
    t.after(() => other.close());
    const [, listensOn] = await bridge.waitForOutput(
      new RegExp(`NOTE: port ${port} is taken by another program, so the embedded broker listens on (\\d+)\\.`),
    );
    assert.match(bridge.output, new RegExp(`MQTT_URL=mqtt://127.0.0.1:${port}\\.`));
    assert.match(bridge.output, new RegExp(`mosquitto_sub -h 127.0.0.1 -p ${listensOn} `));
    const { body } = await bridge.api("GET", "/v1/status");
    assert.equal(new URL(body.broker.url).port, listensOn);

    await bridge.readiness(200);
    const delivered = callsOf("/paused").length;
    const elsewhere = await connectAsync(`mqtt://127.0.0.1:${listensOn}`);
    await elsewhere.publishAsync("paused", "works", { qos: 1 });
    await receiver.until(() => callsOf("/paused").length > delivered);
    await elsewhere.endAsync();
  });
});

/** Collects the payloads that a client gets until the condition holds. */
function collect(client: MqttClient, enough: (payloads: string[]) => boolean): Promise<string[]> {
  const payloads: string[] = [];
  return new Promise((resolve) => {
    client.on("message", (_topic, payload) => {
      payloads.push(payload.toString());
      if (enough(payloads)) resolve(payloads);
    });
  });
}
