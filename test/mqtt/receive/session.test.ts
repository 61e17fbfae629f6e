/** The subscriptions of a persistent session follow the wanted set, packet by packet. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { connectAsync } from "mqtt";
import type { ISubscribePacket } from "mqtt-packet";
import { SubscriberSession, type Subscription } from "../../../src/mqtt/receive/session.ts";
import { eventually } from "../../support/eventually.ts";
import { startMosquitto } from "../../support/mosquitto.ts";
import { requireOrSkip } from "../../support/requirements.ts";
import {
  accept,
  type Behaviour,
  type FakeConnection,
  modest,
  polite,
  politeBut,
  startFakeBroker,
} from "../fake-broker.ts";
import { memoryLog, uniqueId } from "../support.ts";

interface Opened {
  session: SubscriberSession;
  /** Events in order: `settled`, `left <filter>`, `ids true`. */
  events: string[];
  received: string[];
  log: ReturnType<typeof memoryLog>;
}

function open(t: TestContext, url: string, protocol: "5" | "3.1.1" = "5", clientId = uniqueId()): Opened {
  const opened: Omit<Opened, "session"> = { events: [], received: [], log: memoryLog() };
  const session = new SubscriberSession({
    name: "uplink",
    persistent: true,
    broker: { url, protocol },
    clientId,
    limits: { maxPending: 1_000, maxPendingBytes: 1 << 20 },
    log: opened.log,
    receive: (packet, done) => {
      opened.received.push(packet.payload.toString());
      done();
    },
    onConnect: (copiesCarryIds) => opened.events.push(`ids ${copiesCarryIds}`),
    onSettled: () => opened.events.push("settled"),
    onUnsubscribed: (filter) => opened.events.push(`left ${filter}`),
    onClose: () => {},
  });
  t.after(() => session.close());
  return { ...opened, session };
}

async function fakeBroker(t: TestContext, behaviour: Behaviour = polite) {
  const broker = await startFakeBroker(behaviour);
  t.after(() => broker.close());
  return broker;
}

const wanted = (...filters: string[]): Subscription[] => filters.map((filter, i) => ({ filter, qos: 1, id: i + 1 }));
const settled = ({ session }: Opened) => eventually(() => session.settled, "the session is settled");
const filtersOf = (packets: ISubscribePacket[]) =>
  packets.flatMap(({ subscriptions }) => subscriptions.map(({ topic }) => topic));
const subscribed = (link: FakeConnection) => filtersOf(link.of("subscribe"));
const left = (link: FakeConnection) => link.of("unsubscribe").flatMap(({ unsubscriptions }) => unsubscriptions);

describe("a session with wanted subscriptions", () => {
  for (const protocol of ["5", "3.1.1"] as const) {
    it(`MQTT ${protocol}: sends only the difference`, async (t) => {
      const broker = await fakeBroker(t);
      const opened = open(t, broker.url, protocol);
      const { session, events } = opened;
      session.want(wanted("a", "b"));
      await settled(opened);
      const link = await broker.connection(1);
      assert.deepEqual(subscribed(link), ["a", "b"]);

      session.want(wanted("a", "b", "c"));
      await settled(opened);
      assert.deepEqual(subscribed(link), ["a", "b", "c"]);

      session.want(wanted("a", "b"));
      assert.deepEqual(left(link), [], "what is wanted no more stays until it is left");
      session.leave(["c", "a"]);
      await eventually(() => events.includes("left c"), "the broker confirms");
      assert.deepEqual(left(link), ["c"], "what is wanted cannot be left");
      assert.deepEqual(subscribed(link), ["a", "b", "c"]);
      assert.deepEqual([session.status.wanted, session.status.granted], [2, 2]);
    });
  }

  it("subscribes again when the quality of service or the identifier of a filter changes", async (t) => {
    const broker = await fakeBroker(t);
    const opened = open(t, broker.url);
    for (const subscription of [
      { filter: "a", qos: 1, id: 1 },
      { filter: "a", qos: 2, id: 1 },
      { filter: "a", qos: 0, id: 1 },
      { filter: "a", qos: 0, id: 9 },
      { filter: "a", qos: 0, id: 9 },
    ] as const) {
      opened.session.want([subscription]);
      await settled(opened);
    }
    const packets = (await broker.connection(1)).of("subscribe");
    const sent = packets.map(({ properties, subscriptions: [first] }) => [
      first!.qos,
      properties?.subscriptionIdentifier,
    ]);
    assert.deepEqual(sent, [
      [1, 1],
      [2, 1],
      [0, 1],
      [0, 9],
    ]);
    assert.ok(
      packets.every(({ subscriptions: [first] }) => first!.rh === 2),
      "retained messages are not replayed",
    );
  });

  it("subscribes everything again after a reconnect, even if the broker reports that it kept the session", async (t) => {
    const broker = await fakeBroker(t, politeBut({ connect: (_, link) => accept(link, {}, true) }));
    const opened = open(t, broker.url);
    opened.session.want(wanted("a", "b"));
    await settled(opened);
    broker.connections[0]!.breakOff();
    const link = await broker.connection(2);
    await link.until("subscribe", 2);
    assert.deepEqual(subscribed(link), ["a", "b"]);
    await settled(opened);
    assert.deepEqual(opened.events, ["ids true", "settled", "ids true", "settled"]);
  });

  it("subscribes a filter wanted during an outage when the broker is back", async (t) => {
    const broker = await fakeBroker(t);
    const opened = open(t, broker.url);
    opened.session.want(wanted("a"));
    await settled(opened);
    broker.connections[0]!.breakOff();
    await eventually(() => !opened.session.settled, "the loss is noticed");
    opened.session.want(wanted("b"));
    opened.session.leave(["a"]);
    await settled(opened);
    const link = await broker.connection(2);
    await link.until("unsubscribe");
    assert.deepEqual([subscribed(link), left(link)], [["b"], ["a"]]);
  });

  it("subscribes a filter again that is wanted while it is being unsubscribed", async (t) => {
    const answers: (() => void)[] = [];
    const broker = await fakeBroker(
      t,
      politeBut({ unsubscribe: (packet, link) => void answers.push(() => polite(packet, link)) }),
    );
    const opened = open(t, broker.url);
    opened.session.want(wanted("a"));
    await settled(opened);
    const link = await broker.connection(1);
    opened.session.want([]);
    opened.session.leave(["a"]);
    await link.until("unsubscribe");
    opened.session.want(wanted("a"));
    answers[0]!();
    await link.until("subscribe", 2);
    await settled(opened);
    assert.ok(!opened.events.includes("left a"));
  });

  it("subscribes a thousand filters without waiting for each, and without flooding the broker", async (t) => {
    let unanswered = 0;
    let most = 0;
    const broker = await fakeBroker(
      t,
      politeBut({
        subscribe: (packet, link) => {
          most = Math.max(most, ++unanswered);
          setImmediate(() => {
            unanswered--;
            polite(packet, link);
          });
        },
      }),
    );
    const opened = open(t, broker.url);
    opened.session.want(wanted(...Array.from({ length: 1_000 }, (_, i) => `f/${i}`)));
    await settled(opened);
    assert.equal(opened.session.status.granted, 1_000);
    assert.ok(most > 1 && most <= 64, `${most} at once`);
  });

  it("reads from CONNACK whether copies carry identifiers", async (t) => {
    const broker = await fakeBroker(
      t,
      politeBut({ connect: (_, link) => accept(link, { subscriptionIdentifiersAvailable: false }) }),
    );
    for (const protocol of ["5", "3.1.1"] as const) {
      const { events } = open(t, broker.url, protocol);
      await eventually(() => events[0] === "ids false", "it is connected and knows");
    }
  });
});

it("a session requests no more than the broker announces in CONNACK", async (t) => {
  const broker = await fakeBroker(t, modest);
  const opened = open(t, broker.url);
  const filters = Array.from({ length: 20 }, (_, i) => `f/${i}`);
  opened.session.want(wanted(...filters).map((subscription) => ({ ...subscription, qos: 2 })));
  await settled(opened);
  assert.equal(opened.session.status.granted, filters.length);
  assert.deepEqual(subscribed(await broker.connection(1)), filters, "each once");
  assert.equal(broker.connections.length, 1);
});

describe("a filter that the broker refuses", () => {
  for (const [protocol, code] of [
    ["5", 0x87],
    ["3.1.1", 0x80],
  ] as const) {
    it(`MQTT ${protocol}: appears in the status, does not affect the others, and is retried on reconnecting`, async (t) => {
      let refusing = true;
      const broker = await fakeBroker(
        t,
        politeBut({
          subscribe: (packet, link) => {
            const no = refusing && packet.cmd === "subscribe" && packet.subscriptions[0]!.topic === "no";
            if (no) link.send({ cmd: "suback", messageId: packet.messageId!, granted: [code] });
            else polite(packet, link);
          },
        }),
      );
      const opened = open(t, broker.url, protocol);
      const { session, log } = opened;
      session.want(wanted("no", "yes"));
      await settled(opened);
      const { granted, refused } = session.status;
      assert.equal(granted, 1);
      assert.deepEqual(refused, [
        { filter: "no", reason: `the broker refused the subscription (reason 0x${code.toString(16)})` },
      ]);
      assert.equal(log.lines.filter(({ message }) => message === "subscription_refused").length, 1);

      session.want(wanted("no", "yes", "more"));
      await settled(opened);
      assert.deepEqual(subscribed(await broker.connection(1)), ["no", "yes", "more"], "not tried again meanwhile");
      refusing = false;
      broker.connections[0]!.breakOff();
      await broker.connection(2);
      await settled(opened);
      assert.deepEqual([session.status.refused, session.status.granted], [[], 3]);
    });
  }
});

describe("the session at Mosquitto", requireOrSkip("mosquitto"), () => {
  for (const protocol of ["5", "3.1.1"] as const) {
    it(`MQTT ${protocol}: receives the messages that arrived while it was closed`, async (t) => {
      const mosquitto = await startMosquitto();
      t.after(() => mosquitto.stop());
      const clientId = uniqueId();
      const first = open(t, mosquitto.url, protocol, clientId);
      first.session.want(wanted("t/#"));
      await settled(first);
      await first.session.close();
      const device = await connectAsync(mosquitto.url);
      t.after(() => device.endAsync());
      for (let i = 0; i < 20; i++) await device.publishAsync("t/x", String(i), { qos: 1 });
      const second = open(t, mosquitto.url, protocol, clientId);
      await eventually(() => second.received.length === 20, "everything came");
      assert.deepEqual(
        second.received,
        Array.from({ length: 20 }, (_, i) => String(i)),
      );
      assert.deepEqual(first.received, []);
    });
  }
});
