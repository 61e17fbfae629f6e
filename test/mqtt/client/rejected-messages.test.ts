/** Brokers that end the connection at a message: the publisher finds and refuses it without losing other messages. */
import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { connectAsync, type MqttClient } from "mqtt";
import { Publisher } from "../../../src/mqtt/client/publisher.ts";
import { type Mosquitto, startMosquitto } from "../../support/mosquitto.ts";
import { requireOrSkip } from "../../support/requirements.ts";
import { scaled } from "../../support/speed.ts";
import { accept, type Behaviour, type FakeConnection, polite, politeBut, startFakeBroker } from "../fake-broker.ts";
import { connected, memoryLog, message, next, uniqueId } from "../support.ts";

const REJECTED = "the broker ended the connection each time it was sent this message";

async function open(t: TestContext, behaviour: Behaviour, protocol: "5" | "3.1.1" | "auto" = "5") {
  const broker = await startFakeBroker(behaviour);
  const publisher = publisherAt(t, broker.url, protocol);
  t.after(() => broker.close());
  await connected(publisher.connection);
  return { broker, publisher };
}

function publisherAt(t: TestContext, url: string, protocol: "5" | "3.1.1" | "auto"): Publisher {
  const publisher = new Publisher({ broker: { url, protocol }, clientId: uniqueId(), log: memoryLog() });
  t.after(() => publisher.close());
  return publisher;
}

/** Ends the connection at PUBLISH to `bad`, on MQTT 5 with the reason code, if given. */
function endsAtBad(reasonCode?: number): Behaviour {
  const behaviour = politeBut({
    publish: (packet, link) => {
      if (packet.cmd === "publish" && packet.topic === "bad") end(link, reasonCode);
      else polite(packet, link);
    },
  });
  // The broker reads nothing after the rejected message.
  return (packet, link) => link.socket.writable && behaviour(packet, link);
}

function end(link: FakeConnection, reasonCode?: number): void {
  if (reasonCode !== undefined) link.send({ cmd: "disconnect", reasonCode });
  link.socket.end();
}

describe("a message at which the broker ends the connection", { concurrency: true }, () => {
  for (const protocol of ["5", "3.1.1", "auto"] as const) {
    for (const qos of [1, 2] as const) {
      it(`MQTT ${protocol}, QoS ${qos}: is refused soon, and the messages in flight with it arrive`, async (t) => {
        const { publisher, broker } = await open(t, endsAtBad(), protocol);
        const since = Date.now();
        const before = publisher.publish(message({ topic: "before" }));
        const bad = publisher.publish(message({ topic: "bad", qos }));
        const behind = ["a", "b", "c"].map((topic) => publisher.publish(message({ topic, qos })));
        assert.deepEqual(await bad, { kind: "refused", reasonCode: undefined, reason: REJECTED });
        for (const result of [before, ...behind]) assert.equal((await result).kind, "acknowledged");
        assert.ok(Date.now() - since < scaled(1_500), `${Date.now() - since} ms`);
        assert.equal(broker.connections.length, 4);
      });
    }
  }

  it("the broker's reason is passed on", async (t) => {
    const { publisher, broker } = await open(t, endsAtBad(0x81));
    const result = await publisher.publish(message({ topic: "bad" }));
    assert.deepEqual(result, { kind: "refused", reasonCode: 0x81, reason: REJECTED });
    assert.equal(broker.connections.length, 4);
  });

  it("a reason that can only concern the message needs no second disconnect", async (t) => {
    const { publisher, broker } = await open(t, endsAtBad(0x90));
    assert.equal((await publisher.publish(message({ topic: "bad" }))).kind, "refused");
    assert.equal(broker.connections.length, 3);
  });

  it("a publish during a short interruption waits for the connection", async (t) => {
    const { publisher } = await open(t, endsAtBad());
    const bad = publisher.publish(message({ topic: "bad" }));
    await next(publisher.connection, "close");
    assert.equal(publisher.connection.connected, false);
    const meanwhile = [0, 1, 2].map((qos) => publisher.publish(message({ topic: "fine", qos: qos as 0 | 1 | 2 })));
    assert.deepEqual(
      (await Promise.all(meanwhile)).map(({ kind }) => kind),
      ["sent", "acknowledged", "acknowledged"],
    );
    assert.equal((await bad).kind, "refused");
  });

  it("many of them at once fail one after the other, and the others arrive", async (t) => {
    const { publisher } = await open(t, endsAtBad());
    const topics = Array.from({ length: 40 }, (_, i) => (i % 10 === 5 ? "bad" : "fine"));
    const results = await Promise.all(topics.map((topic) => publisher.publish(message({ topic }))));
    for (const [i, { kind }] of results.entries()) {
      assert.equal(kind, topics[i] === "bad" ? "refused" : "acknowledged", `${i}`);
    }
  });
});

describe("many messages at which the broker ends the connection", { concurrency: true }, () => {
  it("delay the others, but none of those is refused", { timeout: 30_000 }, async (t) => {
    // A Receive Maximum makes most of them wait for a place in the window.
    const connect: Behaviour = (_, link) => accept(link, { receiveMaximum: 5 });
    const behaviour = endsAtBad();
    const { publisher } = await open(t, (packet, link) =>
      (packet.cmd === "connect" ? connect : behaviour)(packet, link),
    );
    let over = false;
    const clients = Array.from({ length: 8 }, async (_, client) => {
      for (let n = 0; !over; n++) {
        const { kind } = await publisher.publish(message({ topic: "bad", payload: "x".repeat(client * 100 + n) }));
        assert.equal(kind, "refused");
      }
    });
    for (let round = 0; round < 10; round++) {
      const good = await Promise.all(Array.from({ length: 20 }, () => publisher.publish(message({ topic: "fine" }))));
      assert.deepEqual([...new Set(good.map(({ kind }) => kind))], ["acknowledged"]);
    }
    over = true;
    await Promise.all(clients);
  });

  it("cost no connection the second time", async (t) => {
    const { publisher, broker } = await open(t, endsAtBad());
    const bad = message({ topic: "bad", userProperties: { a: "b" } });
    const refusal = await publisher.publish(bad);
    const { length } = broker.connections;
    assert.deepEqual(await publisher.publish({ ...bad, id: "msg_2" }), refusal);
    assert.equal(
      (await publisher.publish(message({ topic: "fine", userProperties: { a: "b" } }))).kind,
      "acknowledged",
    );
    assert.equal(broker.connections.length, length);
  });
});

describe("a connection that ends for another reason", { concurrency: true }, () => {
  it("rejects no message when the broker goes away after it, however often", async (t) => {
    let broker = await startFakeBroker(politeBut({ publish: () => {} }));
    const { port } = broker;
    const publisher = publisherAt(t, broker.url, "5");
    await connected(publisher.connection);
    const result = publisher.publish(message({}));
    for (let restarts = 0; restarts < 3; restarts++) {
      await (await broker.connection(1)).until("publish");
      const refused = next(publisher.connection, "close");
      await broker.close();
      await refused;
      await next(publisher.connection, "close"); // an attempt that finds no broker
      broker = await startFakeBroker(restarts < 2 ? politeBut({ publish: () => {} }) : polite, port);
    }
    t.after(() => broker.close());
    assert.equal((await result).kind, "acknowledged");
  });

  it("rejects no message when the broker says that it is shutting down or too busy", async (t) => {
    let ends = 0;
    const { publisher } = await open(
      t,
      politeBut({
        publish: (packet, link) => {
          if (++ends > 4) return polite(packet, link);
          end(link, ends % 2 ? 0x8b : 0x89);
        },
      }),
    );
    assert.equal((await publisher.publish(message({}))).kind, "acknowledged");
  });

  it("rejects no message that is accepted at the second attempt", async (t) => {
    const seen = new Map<string, number>();
    const { publisher } = await open(
      t,
      politeBut({
        publish: (packet, link) => {
          if (packet.cmd !== "publish") return;
          const times = (seen.get(packet.topic) ?? 0) + 1;
          seen.set(packet.topic, times);
          if (times < 3) link.breakOff();
          else polite(packet, link);
        },
      }),
    );
    for (const topic of ["a", "b", "c"]) {
      assert.equal((await publisher.publish(message({ topic }))).kind, "acknowledged");
    }
  });

  it("does not cause a storm of reconnects", async (t) => {
    const connect: Behaviour = (_, link) => {
      accept(link);
      end(link);
    };
    const { publisher, broker } = await open(t, politeBut({ connect }));
    const since = Date.now();
    await broker.connection(8);
    assert.ok(Date.now() - since > 1_000, `${Date.now() - since} ms`);
    assert.equal(publisher.connection.state === "closed", false);
  });
});

describe("a topic that is too deep for Mosquitto", requireOrSkip("mosquitto"), () => {
  let mosquitto: Mosquitto;
  let device: MqttClient;
  const deep = Array(250).fill("a").join("/");
  before(async () => {
    mosquitto = await startMosquitto();
    device = await connectAsync(mosquitto.url);
    await device.subscribeAsync("fine/#");
  });
  after(async () => {
    await device.endAsync(true);
    await mosquitto.stop();
  });

  for (const protocol of ["5", "3.1.1", "auto"] as const) {
    it(`MQTT ${protocol}: is refused soon, and the others arrive`, async (t) => {
      const publisher = publisherAt(t, mosquitto.url, protocol);
      await connected(publisher.connection);
      const heard = new Set<string>();
      device.on("message", (_topic, payload) => heard.add(payload.toString()));
      const since = Date.now();
      const results = await Promise.all(
        Array.from({ length: 15 }, (_, i) =>
          publisher.publish(
            message(i === 5 ? { topic: deep } : { topic: "fine/1", payload: `${protocol} ${i}`, qos: 1 }),
          ),
        ),
      );
      for (const [i, { kind }] of results.entries()) {
        assert.equal(kind, i === 5 ? "refused" : "acknowledged", `${i}: ${JSON.stringify(results[i])}`);
      }
      t.diagnostic(`${Date.now() - since} ms: ${JSON.stringify(results[5])}`);
      assert.ok(Date.now() - since < scaled(2_000), `${Date.now() - since} ms`);
    });
  }
});
