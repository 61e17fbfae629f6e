/** Outbox and publisher together, at brokers that end the connection. */
import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { connectAsync } from "mqtt";
import type { Outbox } from "../../src/downlink/outbox.ts";
import { Publisher } from "../../src/mqtt/client/publisher.ts";
import { openSqliteStore } from "../../src/store/sqlite/open.ts";
import type { Store } from "../../src/store/store.ts";
import { type Behaviour, polite, politeBut, startFakeBroker } from "../mqtt/fake-broker.ts";
import { connected, memoryLog, next, uniqueId } from "../mqtt/support.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { startMosquitto } from "../support/mosquitto.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { outboxOn, outgoing, TestBroker } from "./outbox-support.ts";

const silent: Behaviour = politeBut({ publish: () => {} });

describe("the outbox at a broker that ends the connection", { timeout: 100_000 }, () => {
  let store: Store;
  before(async () => {
    store = await openSqliteStore({ dataDir: temporaryDirectory("outbox"), log: memoryLog() });
  });
  after(() => store.close());

  async function start(t: TestContext, url: string, protocol: "5" | "3.1.1") {
    const publisher = new Publisher({ broker: { url, protocol }, clientId: uniqueId(), log: memoryLog() });
    const { connection } = publisher;
    const outbox = outboxOn(store, new TestBroker(), {
      publish: (message) => publisher.publish(message),
      broker: connection,
    });
    t.after(async () => {
      await publisher.close();
      await outbox.stop();
    });
    await connected(connection);
    await outbox.start();
    return { outbox, publisher };
  }

  async function outcomeOf(outbox: Outbox, id: string): Promise<string> {
    for (;;) {
      const { outcome } = (await outbox.get(id))!;
      if (outcome !== "queued") return outcome;
      await new Promise(setImmediate);
    }
  }

  async function poisonBetweenGood(outbox: Outbox, poison: object): Promise<void> {
    const since = Date.now();
    const ids: string[] = [];
    for (let i = 0; i < 9; i++) {
      const more = i % 4 === 2 ? poison : { topic: "good" };
      ids.push((await outbox.accept(outgoing(`${i}`, { ...more }))).id);
    }
    const outcomes = await Promise.all(ids.map((id) => outcomeOf(outbox, id)));
    const [good, bad] = ["acknowledged", "failed"];
    assert.deepEqual(outcomes, [good, good, bad, good, good, good, bad, good, good]);
    assert.ok(Date.now() - since < 5_000, `${Date.now() - since} ms`);
  }

  for (const protocol of ["5", "3.1.1"] as const) {
    it(`MQTT ${protocol}: messages that cause it fail, and the others pass in order`, async (t) => {
      const good: string[] = [];
      const behaviour = politeBut({
        publish: (packet, link) => {
          if (packet.cmd !== "publish") return;
          if (packet.topic === "poison") return void link.socket.end();
          if (!packet.dup) good.push(packet.payload.toString());
          polite(packet, link);
        },
      });
      const broker = await startFakeBroker((packet, link) => link.socket.writable && behaviour(packet, link));
      t.after(() => broker.close());
      const { outbox } = await start(t, broker.url, protocol);
      await poisonBetweenGood(outbox, { topic: "poison" });
      assert.deepEqual(good, ["0", "1", "3", "4", "5", "7", "8"]);
    });
  }

  it(
    "Mosquitto: messages that are too large for it fail, and the others pass in order",
    requireOrSkip("mosquitto"),
    async (t) => {
      // On MQTT 5 Mosquitto would announce its limit, and the publisher would not send a message above it.
      const mosquitto = await startMosquitto({ extraConfig: "max_packet_size 2000" });
      t.after(() => mosquitto.stop());
      const device = await connectAsync(mosquitto.url);
      t.after(() => device.endAsync(true));
      const heard: string[] = [];
      device.on("message", (_topic, payload) => heard.push(payload.toString()));
      await device.subscribeAsync("good", { qos: 1 });
      const { outbox } = await start(t, mosquitto.url, "3.1.1");
      await poisonBetweenGood(outbox, { topic: "good", payload: Buffer.alloc(4_000) });
      assert.deepEqual(heard, ["0", "1", "3", "4", "5", "7", "8"]);
    },
  );

  it("does not charge broker restarts to any message", async (t) => {
    let broker = await startFakeBroker(silent);
    const { port } = broker;
    const { outbox, publisher } = await start(t, broker.url, "5");
    const { id } = await outbox.accept(outgoing("good"));
    for (const behaviour of [silent, silent, polite]) {
      await (await broker.connection(1)).until("publish");
      const ended = next(publisher.connection, "close");
      await broker.close();
      await ended;
      await next(publisher.connection, "close"); // an attempt that finds no broker
      broker = await startFakeBroker(behaviour, port);
    }
    t.after(() => broker.close());
    assert.equal(await outcomeOf(outbox, id), "acknowledged");
  });
});
