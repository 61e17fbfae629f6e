/** Embedded broker: accepted connections and requests, and the data that survives `kill -9`. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { connect, type MqttClient } from "mqtt";
import { freePort } from "../../support/ports.ts";
import { startProcess, type TestProcess } from "../../support/processes.ts";
import { testProgram } from "../../support/program.ts";
import { uniqueId } from "../support.ts";
import { client, dataDirectory, payloadsUntil, start } from "./clients.ts";

/** Collects the next `count` payloads a client receives. */
async function payloads(mqtt: MqttClient, count: number): Promise<string[]> {
  const got: string[] = [];
  return new Promise((resolve) => {
    mqtt.on("message", (_topic, payload) => {
      got.push(payload.toString());
      if (got.length === count) resolve(got);
    });
  });
}

describe("the embedded broker", () => {
  it("uses the preferred port", async (t) => {
    const port = await freePort();
    const { port: bound, url, wantedPort } = await start(t, { port });
    assert.deepEqual([bound, url, wantedPort], [port, `mqtt://127.0.0.1:${port}`, true]);
  });

  it("uses another port when the preferred one is taken, and says so", async (t) => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    t.after(() => taken.close());
    const { port } = taken.address() as AddressInfo;
    const broker = await start(t, { port });
    assert.equal(broker.wantedPort, false);
    assert.notEqual(broker.port, port);
    await client(t, broker.url);
  });

  it("admits only clients that know the password, if one is set", async (t) => {
    const { url } = await start(t, { username: "pi", password: "secret" });
    await client(t, url, { username: "pi", password: "secret" });
    const wrong = [
      {},
      { username: "pi" },
      { username: "pi", password: "Secret" },
      { username: "po", password: "secret" },
    ];
    for (const credentials of wrong) await assert.rejects(client(t, url, credentials), { code: 4 });
  });

  it("reads retained messages from the store itself", async (t) => {
    const broker = await start(t);
    const device = await client(t, broker.url);
    assert.equal(await broker.retained("a/b"), undefined);
    const payload = Buffer.from([0, 255, 10]);
    await device.publishAsync("a/b", payload, { qos: 2, retain: true });
    await device.publishAsync("a/b/c", "another", { qos: 1, retain: true });
    assert.deepEqual(await broker.retained("a/b"), { topic: "a/b", payload, qos: 2 });
    assert.equal(await broker.retained("a"), undefined);
    await device.publishAsync("a/b", "", { qos: 1, retain: true });
    assert.equal(await broker.retained("a/b"), undefined);
    assert.equal((await broker.retained("a/b/c"))!.payload.toString(), "another");
  });

  it("responds to MQTT 5 with the refusal that makes clients fall back", async (t) => {
    const { url } = await start(t);
    await assert.rejects(client(t, url, { protocolVersion: 5 }), { code: 1 });
  });

  it("delivers every message once to an existing session, also on overlapping filters", async (t) => {
    const broker = await start(t);
    const device = await client(t, broker.url, { clientId: uniqueId(), clean: false });
    await device.subscribeAsync(["t/+", "t/#"], { qos: 1 });
    const got: string[] = [];
    const all = new Promise<void>((resolve) => {
      device.on("message", (_topic, payload) => {
        got.push(payload.toString());
        if (payload.toString() === "end") resolve();
      });
    });
    // Messages sent at once are stored in parallel and may leave in any order.
    const sender = await client(t, broker.url);
    const sent = Array.from({ length: 1_000 }, (_, i) => String(i));
    await Promise.all(sent.map((payload) => sender.publishAsync("t/x", payload, { qos: 1 })));
    await sender.publishAsync("t/x", "end", { qos: 1 });
    await all;
    assert.deepEqual(got.slice(0, -1).sort(), sent.sort());
  });

  it("delivers a message once that is published while the subscriber connects", async (t) => {
    let connecting: (() => Promise<unknown>) | undefined;
    const { url } = await start(t, {
      beforeCall: (procedure) => (procedure === "mqtt.newestOutgoing" ? connecting?.() : undefined),
    });
    const session = { clientId: uniqueId(), clean: false };
    const before = await client(t, url, session);
    await before.subscribeAsync("a", { qos: 1 });
    await before.endAsync();
    const device = await client(t, url);
    await device.publishAsync("a", "queued", { qos: 1 });

    // The subscriptions are restored by then, and the queue is not yet read.
    const published = new Promise<void>((resolve) => {
      connecting = async () => {
        connecting = undefined;
        await device.publishAsync("a", "meanwhile", { qos: 1 });
        resolve();
      };
    });
    const subscriber = connect(url, { ...session, reconnectPeriod: 0 });
    t.after(() => subscriber.endAsync(true));
    const got = payloadsUntil(subscriber, "last");
    await published;
    await new Promise<void>((resolve) => {
      subscriber.on("message", (_topic, payload) => void (payload.toString() === "queued" && resolve()));
    });
    await device.publishAsync("a", "last", { qos: 1 });
    assert.deepEqual((await got).sort(), ["last", "meanwhile", "queued"]);
  });

  it("disconnects a client that names a topic or itself with U+0000, and stores nothing", async (t) => {
    const broker = await start(t);
    for (const use of [
      (mqtt: MqttClient) => mqtt.publishAsync("kept/a\0b", "x", { qos: 1, retain: true }),
      (mqtt: MqttClient) => mqtt.publishAsync("kept/a\0b", "x", { qos: 2, retain: true }),
      (mqtt: MqttClient) => mqtt.subscribeAsync("kept/a\0b", { qos: 1 }),
    ]) {
      const mqtt = await client(t, broker.url, { clientId: uniqueId(), clean: false });
      const closed = new Promise<void>((resolve) => mqtt.once("close", () => resolve()));
      use(mqtt).catch(() => {});
      await closed;
    }
    assert.deepEqual((await broker.findRetained("kept/#")).topics, []);
    await assert.rejects(client(t, broker.url, { clientId: "a\0b", connectTimeout: 2_000 }));
  });

  it("keeps storing for a filter when an overlapping one is unsubscribed", async (t) => {
    const broker = await start(t);
    const id = uniqueId();
    const device = await client(t, broker.url, { clientId: id, clean: false });
    await device.subscribeAsync("t/#", { qos: 1 });
    await device.subscribeAsync("t/+", { qos: 1 });
    await device.unsubscribeAsync("t/#");
    await device.endAsync();
    const sender = await client(t, broker.url);
    await sender.publishAsync("t/x", "kept", { qos: 1 });
    const back = connect(broker.url, { clientId: id, clean: false, reconnectPeriod: 0 });
    t.after(() => back.endAsync(true));
    const [, payload] = (await once(back as never, "message")) as [string, Buffer];
    assert.equal(payload.toString(), "kept");
  });

  it("closes with clients connected, and opens again on the same data", async (t) => {
    const dataDir = await dataDirectory(t);
    const first = await start(t, { dataDir });
    const device = await client(t, first.url);
    await device.publishAsync("kept", "x", { qos: 1, retain: true });
    await first.close();
    const second = await start(t, { dataDir });
    assert.equal((await second.retained("kept"))!.payload.toString(), "x");
  });
});

describe("the bridge's own session", () => {
  /** A session with the bridge's credentials that withholds PUBACK until `release`. */
  async function ownSession(t: TestContext, broker: Awaited<ReturnType<typeof start>>, clientId: string) {
    const mqtt = connect(broker.url, { clientId, clean: false, reconnectPeriod: 0, ...broker.own });
    mqtt.on("error", () => {});
    t.after(() => mqtt.endAsync(true));
    const received: string[] = [];
    let release: (() => void) | undefined;
    const arrived = new Promise<void>((resolve) => {
      mqtt.handleMessage = ({ payload }, done) => {
        received.push(payload.toString());
        release = done;
        resolve();
      };
    });
    await once(mqtt as never, "connect");
    await mqtt.subscribeAsync("t/#", { qos: 1 });
    return { mqtt, received, arrived, release: () => release?.() };
  }

  it("gets a message before the device gets PUBACK, which follows the session's own", async (t) => {
    const broker = await start(t);
    const session = await ownSession(t, broker, uniqueId());
    const device = await client(t, broker.url);
    let acknowledged = false;
    const published = device.publishAsync("t/x", "held", { qos: 1 }).then(() => {
      acknowledged = true;
    });
    await session.arrived;
    // A later message of another device is acknowledged first: it has no subscriber.
    await (await client(t, broker.url)).publishAsync("other", "", { qos: 1 });
    assert.equal(acknowledged, false);
    session.release();
    await published;
  });

  it("gets a message that it has not acknowledged again, after the device got PUBACK", async (t) => {
    const broker = await start(t);
    const id = uniqueId();
    const first = await ownSession(t, broker, id);
    const device = await client(t, broker.url);
    const published = device.publishAsync("t/x", "kept", { qos: 1 });
    await first.arrived;
    await first.mqtt.endAsync(true);
    await published;
    const second = await ownSession(t, broker, id);
    await second.arrived;
    assert.deepEqual(second.received, ["kept"]);
  });
});

describe("kill -9 of the embedded broker", () => {
  const PROGRAM = testProgram(new URL("broker-process.ts", import.meta.url));

  async function startChild(dataDir: string, port: number): Promise<TestProcess> {
    const child = startProcess(process.execPath, [...PROGRAM, dataDir, String(port)]);
    await child.waitFor(/listening on/);
    return child;
  }

  for (const qos of [1, 2] as const) {
    it(`QoS ${qos}: loses no acknowledged message and keeps the order over several runs`, {
      timeout: 60_000,
    }, async (t) => {
      const [dataDir, port] = [await dataDirectory(t), await freePort()];
      const url = `mqtt://127.0.0.1:${port}`;
      const session = { clientId: uniqueId(), clean: false };
      const sent: string[] = [];

      let child = await startChild(dataDir, port);
      t.after(() => child.kill());
      const subscriber = await client(t, url, session);
      await subscriber.subscribeAsync("q/#", { qos: 2 });
      await subscriber.endAsync();

      for (let run = 1; run <= 3; run++) {
        const device = await client(t, url);
        for (let i = 0; i < 20; i++) {
          sent.push(`${run}-${i}`);
          await device.publishAsync(`q/${i % 3}`, sent.at(-1)!, { qos });
        }
        await device.publishAsync("held", `run ${run}`, { qos: 1, retain: true });
        await child.kill();
        child = await startChild(dataDir, port);
      }

      // No client subscribes again: every message comes from the session.
      const back = connect(url, { ...session, reconnectPeriod: 0 });
      t.after(() => back.endAsync(true));
      const got = await payloads(back, sent.length);
      // At QoS 2 Aedes sends PUBCOMP before it has processed the message: adjacent messages may swap, runs may not.
      const run = (payload: string) => payload.split("-")[0];
      if (qos === 2) {
        assert.deepEqual(got.map(run), sent.map(run));
        got.sort((a, b) => sent.indexOf(a) - sent.indexOf(b));
      }
      assert.deepEqual(got, sent);

      const reader = await client(t, url);
      const held = payloadsUntil(reader, "run 3");
      await reader.subscribeAsync("held");
      assert.deepEqual(await held, ["run 3"]);
    });
  }
});
