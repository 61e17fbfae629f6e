/** A broker that ends the connection at one filter does not affect the other subscriptions. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { connectAsync } from "mqtt";
import type { ISubscribePacket, Packet } from "mqtt-packet";
import { Refused } from "../../../src/errors.ts";
import { LiveSubscriptions } from "../../../src/live/live-subscriptions.ts";
import {
  SubscriberSession,
  type SubscriberSessionOptions,
  type Subscription,
} from "../../../src/mqtt/receive/session.ts";
import { temporaryDirectory } from "../../support/directories.ts";
import { eventually } from "../../support/eventually.ts";
import { startMosquitto } from "../../support/mosquitto.ts";
import { requireOrSkip } from "../../support/requirements.ts";
import { startBroker } from "../embedded/start-broker.ts";
import { accept, type Behaviour, type FakeConnection, polite, politeBut, startFakeBroker } from "../fake-broker.ts";
import { connected, memoryLog, openConnection, uniqueId } from "../support.ts";

type Protocol = "5" | "3.1.1";

const PROTOCOLS = ["5", "3.1.1"] as const;
/** Mosquitto accepts 200 levels, the embedded broker 100. */
const DEEP = Array.from({ length: 250 }, () => "x").join("/");

const wanted = (filters: string[]): Subscription[] => filters.map((filter, i) => ({ filter, qos: 1, id: i + 1 }));
const good = (count: number) => Array.from({ length: count }, (_, i) => `good/${i}`);
const message = (name: string) => (line: { message: string }) => line.message === name;

function sessionOptions(url: string, protocol: Protocol): SubscriberSessionOptions {
  return {
    name: "uplink",
    persistent: true,
    broker: { url, protocol },
    clientId: uniqueId(),
    limits: { maxPending: 1_000, maxPendingBytes: 1 << 20 },
    log: memoryLog(),
    receive: (_packet, done) => done(),
    onConnect: () => {},
    onSettled: () => {},
    onUnsubscribed: () => {},
    onClose: () => {},
  };
}

function open(t: TestContext, url: string, protocol: Protocol, options: Partial<SubscriberSessionOptions> = {}) {
  const log = memoryLog();
  const received: string[] = [];
  const events: string[] = [];
  const session = new SubscriberSession({
    ...sessionOptions(url, protocol),
    log,
    receive: (packet, done) => {
      received.push(packet.payload.toString());
      done();
    },
    onSettled: () => events.push("settled"),
    onUnsubscribed: (filter) => events.push(`left ${filter}`),
    ...options,
  });
  t.after(() => session.close());
  const settled = () => eventually(() => session.settled, "the session is settled", 30_000);
  return { session, log, received, events, settled };
}

function namesIn(packet: Packet): string[] {
  if (packet.cmd === "subscribe") return packet.subscriptions.map(({ topic }) => topic);
  return packet.cmd === "unsubscribe" ? packet.unsubscriptions : [];
}

/** Starts a broker that ends the connection at bad filters: with a reason on MQTT 5, without one on 3.1.1. */
async function touchyBroker(t: TestContext, isBad: (filter: string, packet: Packet) => boolean) {
  const touchy: Behaviour = (packet, link) => {
    if (!namesIn(packet).some((filter) => isBad(filter, packet))) return polite(packet, link);
    if (link.version === 5) link.send({ cmd: "disconnect", reasonCode: 0x81 });
    link.socket.end();
  };
  const broker = await startFakeBroker(politeBut({ subscribe: touchy, unsubscribe: touchy }));
  t.after(() => broker.close());
  return broker;
}

const subscribed = (link: FakeConnection) =>
  link.of("subscribe").flatMap(({ subscriptions }: ISubscribePacket) => subscriptions.map(({ topic }) => topic));

const reasonOf = (protocol: Protocol) =>
  `the broker ends the connection at this filter${protocol === "5" ? " (reason 0x81)" : ""}`;

// Most of them wait for reconnects.
describe("connections that the broker ends", { concurrency: true }, () => {
  for (const protocol of PROTOCOLS) {
    const reason = reasonOf(protocol);

    describe(`filters at which the broker ends the connection, MQTT ${protocol}`, () => {
      it("are found among 300 others, which are subscribed", async (t) => {
        const bad = ["bad/1", "bad/2", "bad/3"];
        const broker = await touchyBroker(t, (filter) => bad.includes(filter));
        const { session, log, events, settled } = open(t, broker.url, protocol);
        const all = good(300);
        all.splice(7, 0, "bad/1", "bad/2");
        all.push("bad/3");
        session.want(wanted(all));
        await settled();
        assert.deepEqual(
          session.status.refused.sort((a, b) => a.filter.localeCompare(b.filter)),
          bad.map((filter) => ({ filter, reason })),
        );
        assert.deepEqual([session.status.granted, session.status.wanted], [300, 303]);
        assert.ok(broker.connections.length <= 10, `${broker.connections.length} connections`);
        assert.deepEqual(events, ["settled"]);
        const last = broker.connections.at(-1)!;
        assert.deepEqual(subscribed(last).sort(), good(300).sort());
        assert.equal(log.lines.filter(message("subscription_refused")).length, 3);
        assert.equal(log.lines.filter(message("mqtt_session_taken_over")).length, 0);

        session.want(wanted([...all, "one/more"]));
        await settled();
        assert.equal(broker.connections.at(-1), last, "what is known is not tried again");
      });

      it("may be unsubscribed, although the broker ends the connection at that, too", async (t) => {
        const broker = await touchyBroker(t, (filter, { cmd }) => filter === "bad" && cmd === "unsubscribe");
        const { session, log, events, settled } = open(t, broker.url, protocol);
        session.want(wanted(["good", "bad", "other"]));
        await settled();
        session.want(wanted(["good"]));
        session.leave(["bad", "other"]);
        await eventually(() => events.includes("left bad") && events.includes("left other"), "both are left", 15_000);
        await settled();
        assert.deepEqual([session.status.refused, session.status.granted], [[], 1]);
        assert.ok(broker.connections.length <= 4, `${broker.connections.length} connections`);
        assert.equal(log.lines.filter(message("unsubscribe_given_up")).length, 1);
      });

      it("are dropped without UNSUBSCRIBE in a session that the broker does not keep", async (t) => {
        const broker = await touchyBroker(t, (filter) => filter === "bad");
        const { session, events, settled } = open(t, broker.url, protocol, { persistent: false });
        session.want(wanted(["good", "bad"]));
        await settled();
        const before = broker.connections.length;
        session.want(wanted(["good"]));
        session.leave(["bad"]);
        await eventually(() => events.includes("left bad"), "it is left");
        assert.equal(broker.connections.length, before);
      });

      it("end no live stream but their own", async (t) => {
        const broker = await touchyBroker(t, (filter) => filter === "bad");
        const feed = new LiveSubscriptions<SubscriberSession>({
          outage: () => undefined,
          openSession: ({ index: _index, ...callbacks }, receive) =>
            new SubscriberSession({
              ...sessionOptions(broker.url, protocol),
              persistent: false,
              receive: (packet, done) => receive(packet as Parameters<typeof receive>[0], done),
              ...callbacks,
            }),
          onError: (error) => assert.fail(error),
        });
        t.after(() => feed.close());
        const heard: string[] = [];
        await feed.listen(["good"], ({ payload }) => heard.push(payload.toString()));
        const isRefused = async (topics: string[]) => {
          const refusal = await feed.listen(topics, () => {});
          assert.ok(refusal instanceof Refused);
          assert.equal(refusal.code, "broker_refused");
          assert.ok(refusal.detail.includes(`bad: ${reason}`), refusal.detail);
        };
        await isRefused(["bad"]);
        const connections = broker.connections.length;
        await isRefused(["bad", "other"]);
        assert.equal(broker.connections.length, connections, "the second one costs no reconnect");
        broker.connections.at(-1)!.send(publish("good", "still here"));
        await eventually(() => heard.includes("still here"), "the other stream goes on");
      });
    });

    it(`a broker that closes after CONNACK isolates no filter, MQTT ${protocol}`, async (t) => {
      let closing = true;
      const broker = await startFakeBroker(
        politeBut({
          connect: (_, link) => {
            accept(link);
            if (closing) link.socket.end();
          },
        }),
      );
      t.after(() => broker.close());
      const { session, settled } = open(t, broker.url, protocol, { persistent: false });
      session.want(wanted(["a"]));
      await broker.connection(4);
      closing = false;
      await settled();
      assert.deepEqual([session.status.refused, session.status.granted], [[], 1]);
    });

    it(`no take-over is detected when the broker ends the connection at a request, MQTT ${protocol}`, async (t) => {
      const broker = await startFakeBroker();
      t.after(() => broker.close());
      let isAsking = true;
      const connection = openConnection(t, {
        broker: { url: broker.url, protocol },
        persistent: true,
        isAsking: () => isAsking,
      });
      for (let i = 1; i <= 7; i++) {
        isAsking = i <= 4;
        const link = await broker.connection(i);
        await connected(connection);
        link.breakOff();
        await eventually(() => connection.state !== "connected", "the close is noticed");
        if (isAsking) assert.equal(connection.state, "offline");
      }
      assert.equal(connection.state, "taken_over");
    });
  }

  it("no take-over is detected when DISCONNECT gives another reason", async (t) => {
    const broker = await startFakeBroker();
    t.after(() => broker.close());
    const connection = openConnection(t, { broker: { url: broker.url, protocol: "5" }, persistent: true });
    for (let i = 1; i <= 4; i++) {
      const link = await broker.connection(i);
      await connected(connection);
      link.send({ cmd: "disconnect", reasonCode: 0x97 });
      link.socket.end();
      await eventually(() => connection.state !== "connected", "the close is noticed");
      assert.equal(connection.state, "offline");
      assert.equal(connection.disconnectReason, 0x97);
    }
  });
});

for (const protocol of PROTOCOLS) {
  const reason = reasonOf(protocol);

  // Not beside the others: it sets the clock.
  describe(`filters at which the broker ends the connection, MQTT ${protocol}`, () => {
    it("are tried again after ten minutes, and when they are wanted anew", async (t) => {
      let bad = true;
      const broker = await touchyBroker(t, (filter) => bad && filter === "bad");
      const { session, settled } = open(t, broker.url, protocol);
      session.want(wanted(["good", "bad"]));
      await settled();
      const before = broker.connections.length;

      t.mock.timers.enable({ apis: ["Date"], now: Date.now() + 600_000 });
      session.want(wanted(["good", "bad"]));
      await broker.connection(before + 1);
      await settled();
      assert.equal(broker.connections.length, before + 1, "one reconnect");
      assert.deepEqual(session.status.refused, [{ filter: "bad", reason }]);

      bad = false;
      t.mock.timers.setTime(Date.now() + 60_000);
      session.want(wanted(["good"]));
      await settled();
      session.want(wanted(["good", "bad"]));
      assert.equal(session.settled, false, "what is being tried is not settled");
      await settled();
      assert.deepEqual([session.status.refused, session.status.granted], [[], 2]);
      assert.equal(broker.connections.length, before + 1);
    });
  });
}

const publish = (topic: string, payload: string): Packet => ({
  ...{ cmd: "publish", topic, payload, qos: 0, retain: false, dup: false },
});

describe("a filter that is too deep for the broker", { concurrency: true }, () => {
  /** Other filters receive before, meanwhile and after; all QoS 1 messages arrive. */
  async function withDeepFilter(t: TestContext, url: string, protocol: Protocol) {
    const { session, log, received, settled } = open(t, url, protocol);
    session.want(wanted(good(300)));
    await settled();
    session.want(wanted([...good(150), DEEP, ...good(300).slice(150), `${DEEP}/#`]));
    const device = await connectAsync(url);
    t.after(() => device.endAsync(true));
    const sent: string[] = [];
    while (!session.settled || sent.length < 200) {
      sent.push(String(sent.length));
      await device.publishAsync(`good/${sent.length % 300}`, sent.at(-1)!, { qos: 1 });
      assert.ok(sent.length < 100_000);
    }
    await settled();
    await eventually(() => new Set(received).size === sent.length, "everything arrives", 15_000);
    const { granted, refused } = session.status;
    assert.deepEqual([granted, refused.map(({ filter }) => filter).sort()], [300, [DEEP, `${DEEP}/#`]]);
    const count = (name: string) => log.lines.filter(message(name)).length;
    assert.ok(count("mqtt_disconnected") <= 6, `${count("mqtt_disconnected")} reconnects`);
    assert.equal(count("mqtt_session_taken_over"), 0);

    session.want(wanted(good(300)));
    session.leave([DEEP, `${DEEP}/#`]);
    await device.publishAsync("good/1", "last", { qos: 1 });
    await eventually(() => received.includes("last"), "it goes on", 15_000);
  }

  for (const protocol of PROTOCOLS) {
    it(`does not affect the others at Mosquitto, MQTT ${protocol}`, requireOrSkip("mosquitto"), async (t) => {
      const mosquitto = await startMosquitto();
      t.after(() => mosquitto.stop());
      await withDeepFilter(t, mosquitto.url, protocol);
    });
  }

  it("does not affect the others at the embedded broker", async (t) => {
    const dataDir = temporaryDirectory("hangups");
    const broker = await startBroker({ dataDir });
    t.after(() => broker.close());
    await withDeepFilter(t, broker.url, "3.1.1");
  });
});
