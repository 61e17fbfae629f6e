/**
 * Durable publishes with the real bridge process: each message accepted with 202 arrives once, in order and when it is
 * due, never after its expiry, even if the broker is away or the bridge is killed meanwhile.
 */
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { connectAsync, type MqttClient } from "mqtt";
import { Seen } from "../contracts/store-queue-tools.ts";
import { eventually } from "../support/eventually.ts";
import {
  embedded,
  mosquittoAndEmbeddedStore,
  mosquittoAndRedis,
  type Scenario,
  scenario,
} from "../support/scenario.ts";
import { scaled } from "../support/speed.ts";

const ASYNC = { prefer: "respond-async" };
const TOPICS = 7;

/** A device subscribed to `device/#` in a persistent session. */
class Device {
  readonly arrivals = new Seen<{ topic: string; text: string; at: number }>();

  private constructor(readonly client: MqttClient) {
    client.on("error", () => {}); // it reconnects
    client.on("message", (topic, payload) => this.arrivals.add({ topic, text: payload.toString(), at: Date.now() }));
  }

  static async connect(url: string): Promise<Device> {
    const options = { clientId: "device", clean: false, protocolVersion: 4, reconnectPeriod: 50 } as const;
    const client = await connectAsync(url, options);
    const device = new Device(client);
    await client.subscribeAsync("device/#", { qos: 2 });
    return device;
  }

  get texts(): string[] {
    return this.arrivals.items.map(({ text }) => text);
  }

  close(): Promise<void> {
    return this.client.endAsync(true);
  }
}

async function accept({ bridge }: Scenario, message: object) {
  const { status, body } = await bridge.api("POST", "/v1/messages", message, ASYNC);
  assert.equal(status, 202, JSON.stringify(body));
  return body;
}

/** Publishes numbered messages over HTTP, a few topics at a time, those of one topic one after the other. */
async function acceptMany(world: Scenario, count: number, qos = 1): Promise<void> {
  const perTopic = Array.from({ length: TOPICS }, async (_, topic) => {
    for (let i = topic; i < count; i += TOPICS) {
      await accept(world, { topic: `device/${topic}`, payload: String(i), qos });
    }
  });
  await Promise.all(perTopic);
}

/** Asserts that each topic got its numbers in ascending order, with at most `repeated` duplicates in total. */
function assertInOrder(device: Device, count: number, repeated = 0): void {
  const numbers = device.texts.map(Number);
  assert.equal(new Set(numbers).size, count, "some are missing");
  assert.ok(numbers.length - count <= repeated, `${numbers.length - count} arrived twice`);
  for (let topic = 0; topic < TOPICS; topic++) {
    const heard = device.arrivals.items.filter((arrival) => arrival.topic === `device/${topic}`);
    const order = heard.map(({ text }) => Number(text));
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
      `topic ${topic}`,
    );
  }
}

function ended({ bridge }: Scenario, id: string) {
  return eventually(
    async () => (await bridge.api("GET", `/v1/messages/${id}`)).body,
    ({ outcome }) => outcome !== "queued" && outcome !== "scheduled",
  );
}

/** Returns how many messages wait, as the metrics say. */
async function waitingIn({ bridge }: Scenario): Promise<number> {
  const { bytes } = await bridge.api("GET", "/metrics");
  const [, waiting] = /^causeway_outbox_waiting (\S+)$/m.exec(bytes.toString())!;
  return Number(waiting);
}

const COUNT = 200;

// With more, the broker must survive the kills of the bridge: otherwise it could resend messages itself.
// At the same time: they mostly wait for the locks of killed bridges to expire.
describe("outbox", { concurrency: true }, () => {
  for (const kind of [embedded, mosquittoAndEmbeddedStore("5"), mosquittoAndRedis("5")]) {
    describe(`outbox: ${kind.name}`, { ...kind.options, concurrency: 1 }, () => {
      const world = scenario(kind, { device: false });
      let device: Device | undefined;
      afterEach(async () => {
        await device?.close();
        device = undefined;
      });

      it("publishes a scheduled message when it is due", async () => {
        device = await Device.connect(world.brokerUrl);
        const sendAt = Date.now() + 1_500;
        const body = { topic: "device/x", payload: "later", sendAt: new Date(sendAt).toISOString() };
        const { body: scheduled } = await world.bridge.api("POST", "/v1/messages", body);
        await accept(world, { topic: "device/x", payload: "now" });
        const { body: cancelled } = await world.bridge.api("POST", "/v1/messages", { ...body, payload: "cancelled" });
        assert.equal((await world.bridge.api("DELETE", `/v1/messages/${cancelled.id}`)).status, 204);
        await device.arrivals.until(2);
        assert.deepEqual(device.texts, ["now", "later"]);
        const late = device.arrivals.items[1]!.at - sendAt;
        assert.ok(late >= 0 && late < scaled(1_000), `${late} ms late`);
        assert.equal((await ended(world, scheduled.id)).outcome, "acknowledged");
      });

      if (kind === embedded) return;

      it(`keeps ${COUNT} messages through kill -9 of the bridge while it publishes them`, async () => {
        device = await Device.connect(world.brokerUrl);
        const accepted = acceptMany(world, COUNT);
        await device.arrivals.until(20);
        // Otherwise the last ones could be published as soon as they are accepted.
        world.mosquitto!.signal("SIGSTOP");
        await accepted;
        assert.ok(device.texts.length < COUNT, "it is killed in the middle");
        await world.bridge.kill();
        world.mosquitto!.signal("SIGCONT");
        await world.bridge.start();
        const since = Date.now();
        while (new Set(device.texts).size < COUNT) await device.arrivals.until(device.texts.length + 1);
        process.stderr.write(`# ${kind.name}: complete ${Date.now() - since} ms after the restart\n`);
        // The message in flight at the kill may be published again.
        assertInOrder(device, COUNT, 1);
        // The acknowledgements of the last ones may still be under way.
        await eventually(
          () => waitingIn(world),
          (waiting) => waiting === 0,
        );
      });

      it(`publishes ${COUNT} messages accepted while the broker is away once and in order after kill -9`, async () => {
        const { bridge } = world;
        const mosquitto = world.mosquitto!;
        await mosquitto.stop();
        await bridge.readiness(503);
        const since = Date.now();
        await acceptMany(world, COUNT, 2);
        const rate = Math.round((COUNT * 1_000) / (Date.now() - since));
        process.stderr.write(`# ${kind.name}: ${rate} accepted a second over HTTP, ${TOPICS} at a time\n`);
        const waiting = await waitingIn(world);
        assert.ok(waiting >= COUNT - 1 && waiting <= COUNT, `${waiting} are said to wait`);

        await bridge.kill();
        await mosquitto.restart();
        device = await Device.connect(world.brokerUrl);
        await bridge.start();
        const started = Date.now();
        await device.arrivals.until(1);
        const first = Date.now();
        await device.arrivals.until(COUNT);
        const published = Math.round((COUNT * 1_000) / (Date.now() - first));
        process.stderr.write(`# ${kind.name}: first after ${first - started} ms, then ${published}/s at QoS 2\n`);
        const { body } = await bridge.api("POST", "/v1/messages", { topic: "device/end", payload: String(COUNT) });
        assert.equal(body.outcome, "acknowledged");
        await device.arrivals.until(COUNT + 1);
        assertInOrder(device, COUNT + 1);
      });

      it("never publishes an expired message, and does not wait for the broker on SIGTERM", async () => {
        const { bridge } = world;
        const mosquitto = world.mosquitto!;
        await mosquitto.stop();
        await bridge.readiness(503);
        const short = await accept(world, { topic: "device/x", payload: "late", expirySeconds: 1 });
        const long = await accept(world, { topic: "device/x", payload: "in time", expirySeconds: 600 });
        const since = Date.now();
        assert.equal((await bridge.stop()).code, 0);
        assert.ok(Date.now() - since < scaled(3_000), `SIGTERM took ${Date.now() - since} ms`);
        await bridge.start();
        assert.equal((await ended(world, short.id)).outcome, "expired");
        await mosquitto.restart();
        device = await Device.connect(world.brokerUrl);
        assert.equal((await ended(world, long.id)).outcome, "acknowledged");
        await device.arrivals.until(1);
        assert.deepEqual(device.texts, ["in time"]);
      });
    });
  }
});
