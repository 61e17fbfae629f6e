/** Two clients with one client id: a session that is or may have been taken over waits instead of reconnecting. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connect, connectAsync } from "mqtt";
import { eventually } from "../../support/eventually.ts";
import { startMosquitto } from "../../support/mosquitto.ts";
import { requireOrSkip } from "../../support/requirements.ts";
import { accept, politeBut, startFakeBroker } from "../fake-broker.ts";
import { connected, memoryLog, next, openConnection, uniqueId } from "../support.ts";

/** A connection that contests the session reconnects within a second. */
const LONG_ENOUGH_TO_FIGHT_MS = 2_500;

describe("a session that is taken over", { ...requireOrSkip("mosquitto"), concurrency: true }, () => {
  for (const [version, protocol, how] of [
    [5, "5", "as DISCONNECT 142 says"],
    [4, "3.1.1", "as several quick closes tell"],
  ] as const) {
    it(`is left to the other client, ${how}`, async (t) => {
      const mosquitto = await startMosquitto();
      t.after(() => mosquitto.stop());
      const clientId = uniqueId();
      const log = memoryLog();
      let closes = 0;
      const connection = openConnection(t, {
        broker: { url: mosquitto.url, protocol },
        clientId,
        persistent: true,
        log,
        onClose: () => closes++,
      });
      await connected(connection);

      const other = connect(mosquitto.url, { clientId, protocolVersion: version, clean: false, reconnectPeriod: 100 });
      t.after(() => other.endAsync(true));
      other.on("error", () => {});
      await next(other, "connect");
      await eventually(() => connection.state === "taken_over", "the connection stands down", 15_000);
      assert.match(connection.lastError!, new RegExp(`another client connected as ${clientId}`));
      assert.equal(log.lines.filter(({ message }) => message === "mqtt_session_taken_over").length, 1);
      assert.ok(closes > 0);

      await eventually(() => other.connected, "the other client is connected");
      let kicked = false;
      other.on("close", () => {
        kicked = true;
      });
      await delay(LONG_ENOUGH_TO_FIGHT_MS);
      assert.equal(kicked, false);
      assert.equal(connection.state, "taken_over");
      await connection.close();
      assert.equal(connection.state, "closed");
    });
  }
});

describe("a broker that exceeds Receive Maximum", () => {
  /** Connects to a broker that sends `count` messages of QoS 2 on each of the first `times` connections. */
  async function connectTo(t: TestContext, times: number, count: (receiveMaximum: number) => number) {
    const announced: number[] = [];
    const broker = await startFakeBroker(
      politeBut({
        connect: (packet, link) => {
          accept(link);
          if (packet.cmd !== "connect") return;
          announced.push(packet.properties!.receiveMaximum!);
          if (announced.length > times) return;
          const publish = { cmd: "publish", topic: "t", payload: "x", qos: 2, dup: false, retain: false } as const;
          link.send(...Array.from({ length: count(announced[0]!) }, (_, i) => ({ ...publish, messageId: i + 1 })));
        },
      }),
    );
    t.after(() => broker.close());
    const log = memoryLog();
    const connection = openConnection(t, {
      broker: { url: broker.url, protocol: "5" },
      clientId: uniqueId(),
      persistent: true,
      log,
    });
    return { announced, broker, log, connection };
  }

  it("by a few keeps its connection", async (t) => {
    const { announced, broker, connection } = await connectTo(t, 2, (receiveMaximum) => receiveMaximum + 20);
    const messages = new Set<number>();
    connection.client.on("packetreceive", (packet) => packet.cmd === "publish" && messages.add(packet.messageId!));
    await eventually(() => messages.size === 1_020, "all have come", 15_000);
    assert.ok(connection.connected);
    broker.connections[0]!.socket.destroy();
    await eventually(() => announced.length === 2 && connection.connected, "it is connected again", 15_000);
    assert.deepEqual(announced, [1_000, 1_000]);
  });

  it("by far is connected to again each time, although the closes are quick", async (t) => {
    const closes = 5;
    const { broker, log, connection } = await connectTo(t, closes, (receiveMaximum) => 2 * receiveMaximum + 1);
    await eventually(() => broker.connections.length > closes && connection.connected, "it is connected", 15_000);
    assert.match(log.lines.map(({ fields }) => JSON.stringify(fields)).join(), /Receive Maximum exceeded/);
    assert.deepEqual(
      log.lines.filter(({ message }) => message === "mqtt_session_taken_over"),
      [],
    );
  });
});

describe("a connection that may not connect at present", { ...requireOrSkip("mosquitto"), concurrency: true }, () => {
  for (const protocol of ["5", "3.1.1"] as const) {
    it(`waits until it may connect, and then has its session, MQTT ${protocol}`, async (t) => {
      const mosquitto = await startMosquitto();
      t.after(() => mosquitto.stop());
      const clientId = uniqueId();
      let may = true;
      let asked = 0;
      const connection = openConnection(t, {
        broker: { url: mosquitto.url, protocol },
        clientId,
        persistent: true,
        mayConnect: () => {
          asked++;
          return may;
        },
      });
      await connected(connection);
      await connection.client.subscribeAsync("t", { qos: 1 });
      const received: string[] = [];
      connection.client.on("message", (_topic, payload) => received.push(payload.toString()));

      may = false;
      const keep = protocol === "5" && { properties: { sessionExpiryInterval: 60 } };
      const protocolVersion = protocol === "5" ? 5 : 4;
      const other = connect(mosquitto.url, { clientId, protocolVersion, clean: false, ...keep });
      t.after(() => other.endAsync(true));
      await next(other, "connect");
      await eventually(() => !connection.connected, "it is disconnected");
      let kicked = false;
      other.on("close", () => {
        kicked = true;
      });
      await delay(LONG_ENOUGH_TO_FIGHT_MS);
      assert.equal(kicked, false);
      assert.equal(connection.state, "offline");
      assert.match(connection.lastError!, /another client may have the session/);
      assert.ok(asked >= 3, "it looks again and again");
      await other.endAsync();

      const publisher = await connectAsync(mosquitto.url);
      t.after(() => publisher.endAsync(true));
      await publisher.publishAsync("t", "kept", { qos: 1 });
      may = true;
      await connected(connection);
      await eventually(() => received.includes("kept"), "what waited in the session arrives");
      await connection.close();
    });

    it(`waits out an outage of the broker, MQTT ${protocol}`, async (t) => {
      const mosquitto = await startMosquitto();
      t.after(() => mosquitto.stop());
      let may = true;
      const connection = openConnection(t, { broker: { url: mosquitto.url, protocol }, mayConnect: () => may });
      await connected(connection);
      may = false;
      await mosquitto.restart();
      await eventually(() => connection.lastError !== undefined, "it is held back");
      await delay(LONG_ENOUGH_TO_FIGHT_MS);
      assert.equal(connection.connected, false);
      may = true;
      await connected(connection);
      await mosquitto.restart();
      await eventually(() => !connection.connected, "it is disconnected");
      await connected(connection);
      assert.equal(connection.lastError, undefined, "and reconnects as ever");
    });
  }
});
