/** No pulled delivery is lost, and none is acknowledged twice, while consumers and the bridge are killed. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Causeway, type PulledDelivery, payloadText } from "../../src/client/index.ts";
import { eventually } from "../support/eventually.ts";
import { publishLoad } from "../support/load.ts";
import { embedded, mosquittoAndRedis, startScenario } from "../support/scenario.ts";
import { scaled } from "../support/speed.ts";

const MESSAGES = Number(process.env.MESSAGES ?? 2_000);
const LEASE_SECONDS = 5;

// At the same time: both mostly wait for restarts.
describe("pulled deliveries", { concurrency: true }, () => {
  for (const kind of [embedded, mosquittoAndRedis("5")]) {
    it(`are acknowledged once each through SIGKILL: ${kind.name}`, kind.options, async (t) => {
      const { bridge, brokerUrl } = await startScenario(t, kind, { device: false });
      // More attempts than kills: each may use one up.
      const retry = { scheduleSeconds: Array.from({ length: 20 }, () => 1) };
      const { id } = await bridge.register({ type: "pull", topics: ["load/#"], retry });
      const load = publishLoad(brokerUrl, { count: MESSAGES, perSecond: 5_000 });
      t.after(() => load.close());

      const received = new Set<string>();
      const acked = new Map<string, number>();
      const end = new AbortController();
      t.after(() => end.abort());

      const pullers = Array.from({ length: 4 }, () => {
        const stop = new AbortController();
        end.signal.addEventListener("abort", () => stop.abort());
        return { stop, done: consume(stop.signal) };
      });

      async function consume(signal: AbortSignal): Promise<void> {
        // Each call fails at once: a retry must not hide an outcome from the test.
        const causeway = new Causeway({ url: bridge.url, apiKey: "test-key-0123456789abcdef", retries: 0 });
        while (!signal.aborted) {
          try {
            const input = { max: 50, leaseSeconds: LEASE_SECONDS, waitSeconds: 1 };
            const items = await causeway.webhooks.pull(id, input, { signal });
            if (items.length === 0) continue;
            // A killed consumer leaves what it holds.
            if (signal.aborted) return;
            for (const { event } of items) received.add(numberOf(event));
            const { unknown } = await causeway.webhooks.ack(id, items, { signal });
            for (const { messageId } of items) {
              if (!unknown.includes(messageId)) acked.set(messageId, (acked.get(messageId) ?? 0) + 1);
            }
          } catch {
            await delay(100);
          }
        }
      }
      const numberOf = (event: PulledDelivery["event"]) => `${event.subject} ${payloadText(event).trim()}`;

      for (const share of [0.2, 0.5]) {
        await eventually(
          async () => acked.size,
          (count) => count >= MESSAGES * share,
          scaled(60_000),
        );
        pullers.pop()!.stop.abort();
        await bridge.kill();
        await bridge.start();
      }
      assert.equal(pullers.length, 2);
      await load.done;
      const counts = async () => (await bridge.api("GET", `/v1/webhooks/${id}`)).body.counts;
      const open = ({ pending, active, retrying }: Record<string, number>) => pending! + active! + retrying!;
      await eventually(counts, (found) => received.size >= MESSAGES && open(found) === 0, scaled(120_000));
      end.abort();
      await Promise.all(pullers.map(({ done }) => done));

      assert.equal(received.size, MESSAGES);
      assert.deepEqual(
        [...acked].filter(([, times]) => times > 1),
        [],
      );
      const { failed, discarded } = await counts();
      assert.deepEqual([failed, discarded], [0, 0]);
      const { body } = await bridge.api("GET", "/v1/status");
      t.diagnostic(
        `${received.size} received, ${acked.size} acknowledgements confirmed, ${JSON.stringify(body.books)}`,
      );
    });
  }
});
