/** Events about an endpoint that two instances call. */
import assert from "node:assert/strict";
import { it } from "node:test";
import pino from "pino";
import { RecordCache } from "../../../src/store/record-cache.ts";
import { EVENTS_TOPIC } from "../../../src/uplink/events/announcer.ts";
import { EndpointWatch } from "../../../src/uplink/events/watch.ts";
import { BREAKER, type EndpointRecord, type Notice } from "../../../src/uplink/health/circuit-breaker.ts";
import { WebhookRegistry } from "../../../src/webhooks/registry.ts";
import { DEFAULTS, type Webhook } from "../../../src/webhooks/webhook.ts";
import { memoryRecords } from "../../support/memory-records.ts";

const log = pino({ level: "silent" });
const webhook: Webhook = {
  ...{ ...DEFAULTS, retry: { scheduleSeconds: [] }, id: "wh_1", url: "https://example.com/", topics: ["t"] },
  ...{ secret: "", createdAt: "", updatedAt: "" },
};

it("an instance that has not yet learned that the webhook is disabled announces no second event", async () => {
  const [webhooks, endpoints] = [memoryRecords<Webhook>(), memoryRecords<EndpointRecord>()];
  await webhooks.create("wh_1", webhook);
  const [published, transitions]: [string[], [string, Notice][]] = [[], []];
  const instance = async (name: string) => {
    const registry = new WebhookRegistry(webhooks, log);
    const records = new RecordCache<EndpointRecord>(endpoints, log, "endpoint");
    await Promise.all([registry.start(), records.start()]);
    const { health } = new EndpointWatch({
      ...{ webhooks: registry, endpoints: records, breaker: BREAKER, eventSource: "/test" },
      queues: { add: async () => assert.fail("no webhook wants events") },
      outbox: { accept: async ({ topic }) => published.push(topic) },
      observe: {
        transition: (_id, notice) => transitions.push([name, notice]),
        announced: () => undefined,
        suppressed: () => undefined,
        partFailed: (_part, error) => assert.fail(error),
      },
    });
    return () => health.settle(webhook, { kind: "call" }, { health: "neutral", decision: { kind: "gone" } });
  };
  const [gone, goneAsWell] = [await instance("one"), await instance("two")];
  webhooks.silent = true;
  await gone();
  assert.ok((await webhooks.get("wh_1"))?.value.disabled);
  // Makes the second call end later.
  for (const now = Date.now(); Date.now() === now; );
  await goneAsWell();
  assert.deepEqual(published, [`${EVENTS_TOPIC}/webhook.disabled/wh_1`]);
  assert.deepEqual(
    transitions.map(([name, { type }]) => [name, type]),
    [["one", "webhook.disabled"]],
  );
  assert.deepEqual(await endpoints.all(), []);
});
