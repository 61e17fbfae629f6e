/** Search for topics with a retained message: complete, exact and quick. */
import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { connectAsync, type MqttClient } from "mqtt";
import { Collected, MAX_FOUND, MAX_FOUND_BYTES, retainedFinder } from "../../../src/mqtt/client/retained-finder.ts";
import { RetainedReader } from "../../../src/mqtt/client/retained-reader.ts";
import { temporaryDirectory } from "../../support/directories.ts";
import { type Mosquitto, startMosquitto } from "../../support/mosquitto.ts";
import { requireOrSkip } from "../../support/requirements.ts";
import { startBroker } from "../embedded/start-broker.ts";
import { polite, politeBut, startFakeBroker } from "../fake-broker.ts";
import { memoryLog, uniqueId } from "../support.ts";

const MANY = 3_000;
const many = Array.from({ length: MANY }, (_, i) => `many/${i % 7}/${i}`);

async function fill(device: MqttClient): Promise<void> {
  const options = { qos: 1, retain: true } as const;
  await Promise.all(many.map((topic) => device.publishAsync(topic, topic, options)));
  await device.publishAsync("one", "1", { qos: 2, retain: true });
  await device.publishAsync("one/below", "2", { qos: 0, retain: true });
  await device.publishAsync("cleared", "x", options);
  await device.publishAsync("cleared", "", options);
}

function open(t: TestContext, url: string, protocol: "auto" | "5" | "3.1.1", outage?: string) {
  const common = { broker: { url, protocol }, clientId: uniqueId(), log: memoryLog(), outage: () => outage };
  const reader = new RetainedReader(common);
  t.after(() => reader.close());
  return { find: retainedFinder({ ...common, protocol: () => undefined }), reader };
}

const sorted = async (found: Promise<{ topics: string[] }>) => (await found).topics.sort();

async function several(topics: string[], reader: Pick<RetainedReader, "readSeveral">) {
  const found: string[] = [];
  for await (const { topic, qos } of reader.readSeveral(topics)) found.push(`${topic} ${qos}`);
  return found;
}

describe("finding retained topics in Mosquitto", requireOrSkip("mosquitto"), () => {
  let mosquitto: Mosquitto;
  let device: MqttClient;
  before(async () => {
    // Mosquitto's default: a queue of 1,000 messages per client; excess messages are dropped.
    mosquitto = await startMosquitto({ extraConfig: "max_queued_messages 1000\nsys_interval 1" });
    device = await connectAsync(mosquitto.url, { protocolVersion: 5 });
    await fill(device);
  });
  after(async () => {
    await device.endAsync();
    await mosquitto.stop();
  });

  for (const protocol of ["5", "3.1.1"] as const) {
    it(`MQTT ${protocol}: finds none, one, and 3,000`, async (t) => {
      const { find } = open(t, mosquitto.url, protocol);
      assert.deepEqual(await find("absent/#"), { topics: [], truncated: false });
      assert.deepEqual(await find("cleared"), { topics: [], truncated: false });
      assert.deepEqual(await find("one"), { topics: ["one"], truncated: false });
      assert.deepEqual(await sorted(find("one/#")), ["one", "one/below"]);
      assert.deepEqual(await sorted(find("many/#")), [...many].sort());
      assert.deepEqual(await sorted(find("many/3/+")), many.filter((topic) => topic.startsWith("many/3/")).sort());
      const all = await find("#");
      assert.equal(all.topics.length, MANY + 2);
    });

    it(`MQTT ${protocol}: finds the broker's own topics, but never under #`, async (t) => {
      const { find } = open(t, mosquitto.url, protocol);
      const { topics } = await find("$SYS/#");
      assert.ok(topics.length > 10);
      assert.ok(topics.every((topic) => topic.startsWith("$SYS/")));
      assert.ok((await find("#")).topics.every((topic) => !topic.startsWith("$")));
    });

    it(`MQTT ${protocol}: keeps overlapping searches and reads apart`, async (t) => {
      const { find, reader } = open(t, mosquitto.url, protocol);
      const [all, below, same, other, one, read] = await Promise.all([
        sorted(find("many/#")),
        sorted(find("many/1/#")),
        sorted(find("many/#")),
        sorted(find("+/2/+")),
        reader.read("many/1/1"),
        several(many.slice(0, 60), reader),
      ]);
      assert.deepEqual(all, [...many].sort());
      assert.deepEqual(same, all);
      assert.deepEqual(below, many.filter((topic) => topic.startsWith("many/1/")).sort());
      assert.deepEqual(other, many.filter((topic) => topic.startsWith("many/2/")).sort());
      assert.equal(one!.payload.toString(), "many/1/1");
      assert.deepEqual(
        read,
        many.slice(0, 60).map((topic) => `${topic} 1`),
      );
    });

    it(`MQTT ${protocol}: reads several topics in their order and omits those without a message`, async (t) => {
      const { reader } = open(t, mosquitto.url, protocol);
      assert.deepEqual(await several(["one/below", "absent", "one"], reader), ["one/below 0", "one 2"]);
    });
  }

  it("does not take live messages for retained ones", async (t) => {
    const { find } = open(t, mosquitto.url, "5");
    let busy = true;
    const traffic = (async () => {
      while (busy) await device.publishAsync("live/now", "passing by", { qos: 1 });
    })();
    for (let i = 0; i < 3; i++) assert.deepEqual(await find("live/#"), { topics: [], truncated: false });
    busy = false;
    await traffic;
  });

  it("runs at most four searches at once", async (t) => {
    const { find } = open(t, mosquitto.url, "5");
    const running = ["a", "b", "c", "d"].map(find);
    await assert.rejects(find("e"), { kind: "busy" });
    await Promise.all([...running, find("a")]);
    assert.deepEqual((await find("e")).topics, []);
  });
});

describe("finding retained topics in the embedded broker", () => {
  it("finds none, one and 3,000, and reads each of them", async (t) => {
    const broker = await startBroker({ dataDir: temporaryDirectory("test") });
    t.after(() => broker.close());
    const device = await connectAsync(broker.url);
    await fill(device);
    await device.publishAsync("$own/topic", "x", { qos: 1, retain: true });
    await device.endAsync();
    const { findRetained: find } = broker;
    assert.deepEqual(await find("absent/#"), { topics: [], truncated: false });
    assert.deepEqual(await find("cleared"), { topics: [], truncated: false });
    assert.deepEqual(await find("one"), { topics: ["one"], truncated: false });
    assert.deepEqual(await sorted(find("one/#")), ["one", "one/below"]);
    assert.deepEqual(await sorted(find("#")), [...many, "one", "one/below"].sort());
    assert.deepEqual(await sorted(find("$own/#")), ["$own/topic"]);
    assert.deepEqual(await sorted(find("$SYS/#")), []);
    const wanted = ["one/below", "absent", "$own/topic", "one"];
    assert.deepEqual(await several(wanted, broker), ["one/below 0", "$own/topic 1", "one 2"]);
    assert.deepEqual(await several([], broker), []);
  });
});

describe("finding retained topics with an uncooperative broker", () => {
  it("is refused at once while the broker is away", async (t) => {
    const { find } = open(t, "mqtt://127.0.0.1:1", "auto", "connect ECONNREFUSED");
    await assert.rejects(find("#"), { kind: "unavailable", message: "connect ECONNREFUSED" });
  });

  it("reports a refused subscription", async (t) => {
    const broker = await startFakeBroker(
      politeBut({ subscribe: ({ messageId }, link) => link.send({ cmd: "suback", messageId, granted: [0x87] }) }),
    );
    t.after(() => broker.close());
    await assert.rejects(open(t, broker.url, "5").find("#"), { kind: "refused", message: /0x87/ });
  });

  it("waits while the broker is still sending, and ends after five seconds even if the broker does not", async (t) => {
    let [sent, searches] = [0, 0];
    const broker = await startFakeBroker(
      politeBut({
        // The client allows a slow broker longer pauses than any here.
        unsubscribe: (packet, link) => void setTimeout(polite, 300, packet, link),
        subscribe: (packet, link) => {
          polite(packet, link);
          searches++;
          const timer = setInterval(() => {
            if (searches === 1 && sent === 20) return clearInterval(timer);
            const topic = `few/${sent++}`;
            link.send({ cmd: "publish", topic, payload: "x", qos: 0, retain: true, dup: false });
          }, 20);
          t.after(() => clearInterval(timer));
        },
      }),
    );
    t.after(() => broker.close());
    const { find } = open(t, broker.url, "5");
    const few = await find("few/#");
    assert.deepEqual([few.topics.length, few.truncated], [20, false]);
    const startedAt = performance.now();
    assert.equal((await find("few/+")).truncated, true);
    assert.ok(performance.now() - startedAt < 7_000);
  });

  it("returns at most 10,000 topics and 16 MiB, and reports that there are more", () => {
    const byCount = new Collected();
    for (let i = 0; i <= MAX_FOUND; i++) {
      assert.equal(byCount.full, false);
      byCount.add(String(i));
      byCount.add("0");
    }
    assert.deepEqual([byCount.topics.length, byCount.full], [MAX_FOUND, true]);
    const byBytes = new Collected();
    for (let i = 0; !byBytes.full; i++) byBytes.add(`${"x".repeat(65_000)}${i}`);
    assert.equal(byBytes.topics.length, Math.floor(MAX_FOUND_BYTES / 65_003));
  });
});
