/** Outboxes on real stores, with a broker that is a switch and a list. */
import { EventEmitter, once } from "node:events";
import { makeOutbox, type Outbox, type OutboxOptions } from "../../src/downlink/outbox.ts";
import type { OutgoingMessage, PublishResult } from "../../src/downlink/publish.ts";
import { newId } from "../../src/message.ts";
import { openEmbeddedStore } from "../../src/store/embedded/open.ts";
import { openRedisStore } from "../../src/store/redis/open.ts";
import type { Store } from "../../src/store/store.ts";
import { Seen } from "../contracts/store-queue-tools.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { startRedis } from "../support/redis.ts";

const log = { info() {}, warn() {}, error() {} };

export interface StoreUnderTest {
  name: string;
  needs: string[];
  /** Whether several instances can use it. */
  shared: boolean;
  open(): Promise<{
    store: Store;
    another?: () => Promise<Store>;
    redis?: { kill(): Promise<void>; restart(): Promise<void> };
    close(): Promise<void>;
  }>;
}

export const stores: StoreUnderTest[] = [
  {
    name: "redis",
    needs: ["redis-server"],
    shared: true,
    async open() {
      const dir = temporaryDirectory("outbox");
      let redis = await startRedis({ dir });
      const opened: Store[] = [];
      const another = async () => {
        const store = await openRedisStore({ url: redis.url, log });
        opened.push(store);
        return store;
      };
      const close = async () => {
        for (const store of opened) await store.close();
        await redis.stop();
      };
      const restart = async () => {
        redis = await startRedis({ dir, port: redis.port });
      };
      return { store: await another(), another, redis: { kill: () => redis.kill(), restart }, close };
    },
  },
  {
    name: "embedded",
    needs: [],
    shared: false,
    async open() {
      const store = await openEmbeddedStore({ dataDir: temporaryDirectory("outbox"), log });
      return { store, close: () => store.close() };
    },
  },
];

export class TestBroker {
  readonly published = new Seen<OutgoingMessage>();
  readonly troubles = new Seen<string>();
  #connected = true;
  readonly #events = new EventEmitter();
  /** What becomes of a publish. */
  answer: (message: OutgoingMessage) => PublishResult | Promise<PublishResult> = () => ACKNOWLEDGED;

  get payloads(): string[] {
    return this.published.items.map(({ payload }) => payload.toString());
  }

  away(): void {
    this.#connected = false;
  }

  back(): void {
    this.#connected = true;
    this.#events.emit("connected");
  }

  readonly port = {
    connected: () => this.#connected,
    untilConnected: async (signal: AbortSignal) => {
      if (!this.#connected) await once(this.#events, "connected", { signal });
    },
  };

  readonly publish = async (message: OutgoingMessage): Promise<PublishResult> => {
    if (!this.#connected) return { kind: "unavailable", reason: "away" };
    const result = await this.answer(message);
    this.published.add(message);
    return result;
  };
}

export const ACKNOWLEDGED: PublishResult = { kind: "acknowledged", reasonCode: 0 };

export function outboxOn(store: Store, broker: TestBroker, options: Partial<OutboxOptions> = {}): Outbox {
  return makeOutbox({
    openQueue: (name) => store.queues.queue(name),
    openWorker: (name, processor, settings) => store.queues.worker(name, processor, settings),
    exclusive: store.kind === "embedded",
    publish: broker.publish,
    broker: broker.port,
    onAccepted() {},
    onTrouble: (_message, error) => broker.troubles.add(error),
    backoffMs: [20],
    ...options,
  });
}

export function outgoing(payload: string, more: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return { id: newId("msg"), topic: "t", payload: Buffer.from(payload), qos: 1, retain: false, ...more };
}
