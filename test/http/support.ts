/** The real app over small fake handlers that record their arguments. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { type AppOptions, buildApp } from "../../src/http/app.ts";
import { bearerCheck } from "../../src/http/auth.ts";
import type { Handlers, Schemas } from "../../src/http/contract/index.ts";
import { loadDocument, operationsOf } from "../../src/http/document.ts";
import type { IdempotencyKeys } from "../../src/http/idempotency-keys.ts";
import type { ExpiringKeys } from "../../src/store/store.ts";

const { openapi } = await loadDocument();

export const KEY = "test-key";
export const AUTH = { authorization: `Bearer ${KEY}` };
export const MAX_PAYLOAD_BYTES = 1000;

/** Arguments of a handler. */
export interface Seen {
  operation: string;
  body: unknown;
  query: unknown;
  params: unknown;
  contentType: string | undefined;
  rawJson: string;
}

export interface TestApp {
  app: FastifyInstance;
  seen: Seen[];
  expiringKeys: MemoryExpiringKeys;
}

/** Expiring keys in memory; the clock does not run, `expire` ends keys. */
export class MemoryExpiringKeys implements IdempotencyKeys, Pick<ExpiringKeys, "get"> {
  readonly entries = new Map<string, { value: string; ttlSeconds: number }>();
  broken = false;
  /** Number of calls of `get`. */
  reads = 0;

  async setIfAbsent(key: string, value: string, ttlSeconds: number): Promise<string | undefined> {
    if (this.broken) throw new Error("the store is away");
    const found = this.entries.get(key);
    if (found) return found.value;
    this.entries.set(key, { value, ttlSeconds });
    return undefined;
  }

  async put(key: string, value: string, ttlSeconds: number): Promise<void> {
    if (this.broken) throw new Error("the store is away");
    this.entries.set(key, { value, ttlSeconds });
  }

  async get(key: string): Promise<string | undefined> {
    if (this.broken) throw new Error("the store is away");
    this.reads++;
    return this.entries.get(key)?.value;
  }

  async release(key: string): Promise<void> {
    this.entries.delete(key);
  }

  /** Ends every key whose TTL is less than the full 24 hours. */
  expire(): void {
    for (const [key, { ttlSeconds }] of this.entries) if (ttlSeconds < 24 * 3600) this.entries.delete(key);
  }
}

export async function testApp(handlers: Partial<Handlers> = {}, options: Partial<AppOptions> = {}): Promise<TestApp> {
  const seen: Seen[] = [];
  const expiringKeys = new MemoryExpiringKeys();
  const app = await buildApp({
    handlers: { ...fakeHandlers(seen), ...handlers },
    authenticate: bearerCheck(KEY),
    maxPayloadBytes: MAX_PAYLOAD_BYTES,
    expiringKeys,
    ...options,
  });
  return { app, seen, expiringKeys };
}

export const webhook: Schemas["Webhook"] = {
  id: "wh_1",
  type: "push",
  url: "https://example.com/",
  method: "POST",
  topics: ["a/#"],
  enabled: true,
  qos: 1,
  mode: "structured",
  headers: {},
  concurrency: 10,
  timeoutMs: 15_000,
  retry: { scheduleSeconds: [5] },
  retained: "skip",
  payloadFormat: "auto",
  ordering: "none",
  events: [],
  state: "active",
  counts: { pending: 0, active: 0, retrying: 0, succeeded: 0, failed: 0, discarded: 0 },
  createdAt: "2026-03-01T12:00:00.000Z",
  updatedAt: "2026-03-01T12:00:00.000Z",
};

/** A handler for every operation; those without a response of their own here respond with nothing. */
function fakeHandlers(seen: Seen[]): Partial<Handlers> {
  /** Records the arguments of the handler and passes the response on. */
  const note = <T>(operation: string, request: FastifyRequest, answer: T): T => {
    const { body, query, params, headers, rawJson } = request;
    seen.push({ operation, body, query, params, contentType: headers["content-type"], rawJson });
    return answer;
  };
  const silent = operationsOf(openapi).map(({ operation: { operationId } }) => [
    operationId,
    async (request: FastifyRequest) => note(operationId, request, undefined),
  ]);
  const created = { ...webhook, secret: "whsec_c2VjcmV0" };
  const own: Partial<Handlers> = {
    publishMessage: (request) => note("publishMessage", request, published(request.body.topic)),
    getRetained: (request, reply) => reply.type("image/png").send(note("getRetained", request, Buffer.from([0, 255]))),
    publishToTopic: async (request) => note("publishToTopic", request, published(request.params.topic)),
    retainTopic: async (request) => note("retainTopic", request, published(request.params.topic)),
    clearTopic: async (request) => note("clearTopic", request, published(request.params.topic)),
    publishBatch: (request) => note("publishBatch", request, { results: [] }),
    listRetained: (request) => note("listRetained", request, { items: [], nextCursor: null, truncated: false }),
    createWebhook: async (request, reply) => {
      reply.header("location", "/v1/webhooks/wh_1");
      return note("createWebhook", request, created);
    },
    listWebhooks: async (request) => note("listWebhooks", request, { items: [webhook], nextCursor: null }),
    // The secret exceeds the contract of this operation: the serialiser must omit it.
    getWebhook: async (request) => note("getWebhook", request, created),
    updateWebhook: async (request) => note("updateWebhook", request, webhook),
    testWebhook: (request) => note("testWebhook", request, { messageId: "msg_1" }),
    listDeliveries: async (request) => note("listDeliveries", request, { items: [], nextCursor: null }),
    getStatus: async () => ({ version: "0.1.0", broker: { connected: true }, more: [1] }),
    getHealth: async () => ({ status: "ok" }),
    getReady: async (_request, reply) => {
      reply.code(503);
      return { status: "unavailable", checks: { broker: { ok: false } } };
    },
    getMetrics: async () => "up 1\n",
  };
  return { ...Object.fromEntries(silent), ...own };
}

function published(topic: string): Schemas["PublishResult"] {
  return { id: "msg_1", topic, qos: 1, retain: false, outcome: "acknowledged", noMatchingSubscribers: null };
}
