/** A webhook service with recording stubs in place of the parts that it calls. */
import { ExternalIds, type Reservation } from "../../src/store/external-ids.ts";
import { WebhookRegistry } from "../../src/webhooks/registry.ts";
import { WebhookService } from "../../src/webhooks/service.ts";
import type { Consent } from "../../src/webhooks/verification.ts";
import type { Webhook } from "../../src/webhooks/webhook.ts";
import { NO_COUNTS } from "../../src/webhooks/webhook-dto.ts";
import { memoryRecords } from "../support/memory-records.ts";

const quiet = { info() {}, warn() {} };
export const ORIGIN = "causeway.test";
export const URL = "https://example.test/hook";

/** A service with these webhooks, which records its calls of other parts. */
export async function serviceWith(stored: Webhook[] = [], consent?: Consent) {
  const all = memoryRecords<Webhook>();
  const page = async ({ after = "", limit }: { after?: string; limit: number }) =>
    (await all.all()).filter(({ id }) => id > after).slice(0, limit);
  for (const webhook of stored) await all.create(webhook.id, webhook);
  const registry = new WebhookRegistry({ ...all, list: page }, quiet);
  await registry.start();
  const calls: string[] = [];
  const note = <T>(call: string, result?: T) => {
    calls.push(call);
    return Promise.resolve(result as T);
  };
  const service = new WebhookService<string[], undefined>({
    registry,
    externalIds: new ExternalIds({ field: "webhookId", records: memoryRecords<Reservation>(), registry }),
    rules: {
      urlError: async (url) => (url.includes("internal") ? { code: "blocked_address", message: "no" } : undefined),
      headerError: () => undefined,
      secretError: (secret) => (secret === "short" ? "is too short" : undefined),
      expressionError: async () => undefined,
    },
    newSecret: () => "whsec_new",
    owner: { origin: ORIGIN, ask: ({ id }) => note(`ask ${id === "wh_1" ? id : "new"}`, consent) },
    deliveries: {
      count: async () => NO_COUNTS,
      list: async () => ["delivery"],
      drop: () => note("drop"),
      resume: () => note("resume"),
    },
    health: { failingSince: () => undefined, nextProbeAt: () => undefined, reset: () => note("reset health") },
    tests: { send: () => note("test", "msg_1") },
    untilSynchronized: () => note("await subscriptions", true),
    refused: () => new Map(),
  });
  return { service, registry, calls };
}
