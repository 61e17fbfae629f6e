/** Devices that publish ten thousand messages a second, on always new topics or all on one topic. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { MqttClient } from "mqtt";
import { residentMegabytes } from "../support/attack.ts";
import { assertBooksClose } from "../support/books.ts";
import type { TestBridge } from "../support/bridge.ts";
import { connectTo } from "../support/device.ts";
import { startReceiver } from "../support/receiver.ts";
import { mosquittoAndRedis } from "../support/setups.ts";
import { scaled } from "../support/speed.ts";

const PER_SECOND = 10_000;
const SECONDS = 1.5;
/** Messages per burst; there are a hundred bursts a second. */
const BURST = PER_SECOND / 100;
const MAX_WAITING = 2_000;
/** Covers the waiting messages, those in flight and garbage; a map keyed by topic would need far more in an hour. */
const GROWTH_MB = 120;
const ANSWER_MS = 2_000;

const FLOODS: [name: string, topic: (number: number) => string][] = [
  ["topics never seen before", (number) => `plant/${number % 97}/${number}-${"x".repeat(40)}/state`],
  ["messages on one topic", () => "plant/1/state"],
];

const servers = mosquittoAndRedis("5");

describe("floods", servers.options, () => {
  for (const [name, topic] of FLOODS) {
    it(`${PER_SECOND} ${name} each second leave the bridge small, ready and fast`, async (t) => {
      const { bridge, brokerUrl, close } = await servers.start({ MAX_WAITING_DELIVERIES: String(MAX_WAITING) });
      const receiver = await startReceiver();
      const device = await connectTo(brokerUrl, 5);
      t.after(async () => {
        await device.endAsync(true);
        await close();
        await receiver.close();
      });
      await bridge.register({ url: receiver.url, topics: ["plant/#"] });
      await flood(device, topic, 0.5, () => {}); // grows the process once, before the baseline is taken
      await receiver.until((calls) => calls.length > 0);
      const [before, series] = [residentMegabytes(bridge.pid), await seriesOf(bridge)];

      let slowest = 0;
      const sent = await flood(device, topic, SECONDS, async () => {
        const startedAt = performance.now();
        assert.equal((await bridge.api("GET", "/v1/status")).status, 200);
        slowest = Math.max(slowest, performance.now() - startedAt);
      });
      await bridge.readiness(200);
      const grown = residentMegabytes(bridge.pid) - before;
      const more = (await seriesOf(bridge)) - series;
      t.diagnostic(
        `${sent} messages: ${Math.round(grown)} MB, ${more} series, slowest answer ${Math.round(slowest)} ms`,
      );
      assert.ok(grown < GROWTH_MB, `grown by ${grown} MB`);
      assert.ok(more <= 100, `${more} series more`);
      assert.ok(slowest < scaled(ANSWER_MS), `an answer took ${slowest} ms`);
      await assertBooksClose(bridge, { timeoutMs: 60_000 });
    });
  }
});

/** Calls `beside` once a second. @returns how many messages were published */
async function flood(
  device: MqttClient,
  topic: (number: number) => string,
  seconds: number,
  beside: () => Promise<void> | void,
): Promise<number> {
  const startedAt = Date.now();
  let sent = 0;
  for (let burst = 0; burst < seconds * 100; burst++) {
    let last: Promise<unknown> | undefined;
    for (let i = 0; i < BURST; i++) last = device.publishAsync(topic(sent++), "1", { qos: 0 });
    if (burst % 100 === 50) await beside();
    await last;
    const ahead = startedAt + burst * 10 - Date.now();
    if (ahead > 0) await delay(ahead);
  }
  return sent;
}

async function seriesOf(bridge: TestBridge): Promise<number> {
  const { bytes } = await bridge.api("GET", "/metrics");
  return bytes
    .toString()
    .split("\n")
    .filter((line) => line && !line.startsWith("#")).length;
}
