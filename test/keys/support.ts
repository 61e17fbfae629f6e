/** The real app over real keys and webhooks, with a store and a broker that are functions. */
import { EventEmitter } from "node:events";
import type { FastifyInstance } from "fastify";
import { pino } from "pino";
import request from "supertest";
import { createHandlers, type HandlerPorts } from "../../src/api/handlers.ts";
import type { OutgoingMessage, Publish } from "../../src/downlink/publish.ts";
import type { Hook } from "../../src/hooks/hook.ts";
import { buildApp } from "../../src/http/app.ts";
import { type Authenticate, bearerCheck, isGood } from "../../src/http/auth.ts";
import { PortalLinks } from "../../src/http/portal-links.ts";
import { Sessions } from "../../src/http/sessions.ts";
import { ROOT } from "../../src/keys/caller.ts";
import type { KeyInput, KeyRecord } from "../../src/keys/key.ts";
import { Keys } from "../../src/keys/keys.ts";
import { SignInLimit } from "../../src/keys/sign-in-limit.ts";
import type { OnMessage } from "../../src/live/live-subscriptions.ts";
import { Streams } from "../../src/live/sse.ts";
import { SyncRequests } from "../../src/live/sync-requests.ts";
import { type Message, newId } from "../../src/message.ts";
import { ExternalIds, type Reservation } from "../../src/store/external-ids.ts";
import { RecordCache } from "../../src/store/record-cache.ts";
import type { Records, Versioned } from "../../src/store/store.ts";
import { WebhookRegistry } from "../../src/webhooks/registry.ts";
import { WebhookService } from "../../src/webhooks/service.ts";
import type { Webhook } from "../../src/webhooks/webhook.ts";
import { createTestHooks, type Seen } from "../hooks/support.ts";
import { MemoryExpiringKeys } from "../http/support.ts";

export const ROOT_KEY = "test-key";
export const log = { info() {}, warn() {} };

/** Records in memory for any number of instances. As in a store, a notice follows the result of the change. */
export class MemoryRecords<T> implements Records<T> {
  readonly stored = new Map<string, Versioned<T>>();
  broken = false;
  /** Number of record writes. */
  writes = 0;
  /** Number of reads of single records. */
  reads = 0;
  /** Called before each `replace`, to inject a change between read and write. */
  beforeReplace: () => Promise<unknown> = async () => undefined;
  readonly #watchers = new Set<(id: string | undefined) => void>();

  async get(id: string) {
    this.reads++;
    this.#check();
    return structuredClone(this.stored.get(id));
  }
  async list({ after = "", limit }: { after?: string; limit: number }) {
    return (await this.all()).filter(({ id }) => id > after).slice(0, limit);
  }
  async all() {
    this.#check();
    return structuredClone([...this.stored.values()]).sort((a, b) => (a.id < b.id ? -1 : 1));
  }
  async count() {
    return this.stored.size;
  }
  async create(id: string, value: T) {
    this.#check();
    if (this.stored.has(id)) return false;
    this.#write({ id, value, version: 1 });
    return true;
  }
  async replace(id: string, value: T, version: number) {
    await this.beforeReplace();
    this.#check();
    if (this.stored.get(id)?.version !== version) return false;
    this.#write({ id, value, version: version + 1 });
    return true;
  }
  async remove(id: string, version?: number) {
    this.#check();
    if (version !== undefined && this.stored.get(id)?.version !== version) return false;
    if (!this.stored.delete(id)) return false;
    this.#notify(id);
    return true;
  }
  async watch(listener: (id: string | undefined) => void) {
    this.#watchers.add(listener);
    return async () => void this.#watchers.delete(listener);
  }

  #write(record: Versioned<T>): void {
    this.writes++;
    this.stored.set(record.id, structuredClone(record));
    this.#notify(record.id);
  }
  #notify(id: string): void {
    setImmediate(() => {
      for (const watcher of this.#watchers) watcher(id);
    });
  }
  #check(): void {
    if (this.broken) throw new Error("the store is away");
  }
}

/** Clock that the test advances. */
export class Clock {
  ms = Date.parse("2026-03-01T12:00:00.000Z");
  readonly now = () => this.ms;
}

export async function startKeys(records: Records<KeyRecord>, clock = new Clock()) {
  const view = new RecordCache(records, log, "key");
  const keys = new Keys({ cache: view, now: clock.now, monotonic: clock.now });
  await view.start();
  return { keys, view };
}

export interface TestKeys {
  app: FastifyInstance;
  clock: Clock;
  records: MemoryRecords<KeyRecord>;
  webhookRecords: MemoryRecords<Webhook>;
  hookRecords: MemoryRecords<Hook>;
  /** Messages and outcomes of the hooks. */
  hooked: Seen;
  keys: Keys;
  published: OutgoingMessage[];
  /** Emits `published` with each message. */
  publishing: EventEmitter<{ published: [] }>;
  /** Delivers a message from the broker to every listener. */
  tell(topic: string, payload: string): void;
  expiringKeys: MemoryExpiringKeys;
  /** Look of portal sessions; may be changed. */
  portal: { hasLogo: boolean; accent?: string };
  /** All log lines. */
  logged: string[];
  /** Calls the API; `key` is the text of an API key, the first one by default. */
  api(method: string, path: string, body?: unknown, key?: string, headers?: Record<string, string>): request.Test;
  /** Makes a key with all rights except for the given members. */
  make(input: Partial<KeyInput>): Promise<{ id: string; key: string }>;
  close(): Promise<void>;
}

/**
 * @param isEmbedded whether pages of other origins may show the dashboard in a frame
 * @param hookRecords existing hooks
 */
export async function startTestKeys(isEmbedded = false, hookRecords = new MemoryRecords<Hook>()): Promise<TestKeys> {
  const clock = new Clock();
  const records = new MemoryRecords<KeyRecord>();
  const { keys, view } = await startKeys(records, clock);
  const webhookRecords = new MemoryRecords<Webhook>();
  const registry = new WebhookRegistry(webhookRecords, log);
  await registry.start();
  const published: OutgoingMessage[] = [];
  const expiringKeys = new MemoryExpiringKeys();
  const { now } = clock;
  const hooks = await createTestHooks({ records: hookRecords, keys, expiringKeys, now, maxPayloadBytes: 1_000 });
  const counts = { pending: 0, active: 0, retrying: 0, succeeded: 0, failed: 0, discarded: 0 };
  const first = bearerCheck(ROOT_KEY);
  const authenticate: Authenticate = (bearer) => first(bearer) ?? keys.authenticate(bearer);
  const sessions = new Sessions({
    expiringKeys,
    callerOf: (id) => (id === ROOT.id ? ROOT : keys.callerOf(id)),
    firstKey: ROOT_KEY,
    now: clock.now,
  });
  const listeners = new Set<OnMessage>();
  const listen = async (_topics: string[], onMessage: OnMessage) => {
    listeners.add(onMessage);
    return { close: () => void listeners.delete(onMessage) };
  };
  const publishing = new EventEmitter<{ published: [] }>();
  const publish: Publish = async (message) => {
    published.push(message);
    publishing.emit("published");
    return { kind: "sent" };
  };
  const streams = new Streams({ listen, eventSource: "/test", onDropped: () => undefined });
  const portal: TestKeys["portal"] = { hasLogo: false };
  const ports: Partial<HandlerPorts> = {
    portal,
    registrations: () => registry.all(),
    isValid: (request) => isGood(request, { authenticate, sessions }),
    ...{ authenticate, sessions, signInLimit: new SignInLimit(clock.now), isEmbedded },
    portalLinks: new PortalLinks({ expiringKeys, now: clock.now }),
    maxPayloadBytes: 1_000,
    publish,
    protocol: () => "5",
    responseTopic: "causeway/responses/{requestId}",
    syncRequests: new SyncRequests({ publish, listen, maxPending: 10, onLate: () => undefined }),
    streams,
    readRetained: async (topic) => ({ topic, payload: Buffer.from("held"), qos: 1 }),
    ...{ hooks: hooks.service, hookCalls: hooks.calls },
    keys,
    webhooks: new WebhookService({
      registry,
      externalIds: new ExternalIds({ field: "webhookId", records: new MemoryRecords<Reservation>(), registry }),
      rules: {
        urlError: async () => undefined,
        headerError: () => undefined,
        secretError: () => undefined,
        expressionError: async () => undefined,
      },
      newSecret: () => "whsec_c2VjcmV0",
      deliveries: {
        count: async () => counts,
        list: async () => ({ items: [], nextCursor: null }),
        drop: async () => undefined,
        resume: async () => {},
      },
      health: { failingSince: () => undefined, nextProbeAt: () => undefined, reset: async () => {} },
      tests: { send: async () => "msg_test" },
      owner: { origin: "causeway", ask: async () => undefined },
      untilSynchronized: async () => true,
      refused: () => new Map(),
    }),
    deliveries: {
      listAcross: async () => ({ items: [], nextCursor: null }),
      ofMessage: async () => "not_found",
      get: () => Promise.reject(new Error("not here")),
      retry: async (webhookId, messageId) => ({
        ...{
          webhookId,
          messageId,
          topic: "a",
          type: "mqtt.message",
          status: "pending",
          attempts: 1,
          receivedAt: "2026-03-01T12:00:00.000Z",
        },
        ...{ nextAttemptAt: null, finishedAt: null, lastAttempt: null },
      }),
    },
    replays: {
      begin: async (webhookId) => ({
        ...{ id: "rpl_1", webhookId, state: "running", count: 0, done: 0 },
        ...{ createdAt: "2026-03-01T12:00:00.000Z", finishedAt: null },
      }),
      count: async () => 0,
      get: () => Promise.reject(new Error("not here")),
      cancel: async () => "running",
    },
    status: async () => ({ version: "1" }),
    metrics: async () => ({ contentType: "text/plain", text: "up 1\n" }),
  };
  const logged: string[] = [];
  const logger = pino({ level: "trace" }, { write: (line) => void logged.push(line) });
  const app = await buildApp({
    handlers: createHandlers(ports as HandlerPorts),
    authenticate,
    sessions,
    maxPayloadBytes: 1_000,
    expiringKeys,
    logger,
  });
  await app.listen({ port: 0 });

  const api: TestKeys["api"] = (method, path, body, key = ROOT_KEY, headers = {}) => {
    const sent = request(app.server)
      [method.toLowerCase() as "get"](path)
      .set({ authorization: `Bearer ${key}`, ...headers });
    return body === undefined ? sent : sent.send(body as object);
  };
  return {
    app,
    clock,
    records,
    webhookRecords,
    hookRecords,
    hooked: hooks.seen,
    keys,
    published,
    publishing,
    tell(topic, payload) {
      const message: Message = {
        ...{ id: newId("msg"), topic, payload: Buffer.from(payload), qos: 0, retain: false, receivedAt: 0 },
      };
      for (const onMessage of listeners) onMessage(message);
    },
    expiringKeys,
    portal,
    logged,
    api,
    async make(input) {
      const everything = { scopes: ["publish", "read", "webhooks", "admin"], publish: ["#"], read: ["#"] };
      const { status, body } = await api("POST", "/v1/keys", { name: "test", ...everything, ...input });
      if (status !== 201) throw new Error(JSON.stringify(body));
      return body;
    },
    close: async () => {
      streams.close();
      await app.close();
      await view.stop();
      await registry.stop();
      await hooks.hooks.stop();
    },
  };
}
