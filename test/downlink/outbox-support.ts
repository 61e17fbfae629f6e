/** Outboxes on real stores, with a broker that is a switch and a list of payloads. */
import { EventEmitter, once } from "node:events";
import { after, afterEach, before, beforeEach, describe } from "node:test";
import { Outbox, type OutboxOptions } from "../../src/downlink/outbox.ts";
import type { OutgoingMessage, PublishResult } from "../../src/downlink/publish.ts";
import type { StoredPublish } from "../../src/downlink/stored-publish.ts";
import { newId } from "../../src/message.ts";
import { openRedisStore } from "../../src/store/redis/open.ts";
import { openSqliteStore } from "../../src/store/sqlite/open.ts";
import type { Store } from "../../src/store/store.ts";
import { Seen } from "../contracts/store-queue-tools.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { startRedis } from "../support/redis.ts";
import { requireOrSkip } from "../support/requirements.ts";

const log = { info() {}, warn() {}, error() {} };

export interface StoreUnderTest {
  name: string;
  needs: string[];
  /** Whether several instances can share it. */
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
      const store = await openSqliteStore({ dataDir: temporaryDirectory("outbox"), log });
      return { store, close: () => store.close() };
    },
  },
];

export class TestBroker {
  readonly published = new Seen<OutgoingMessage>();
  readonly troubles = new Seen<string>();
  #connected = true;
  readonly #events = new EventEmitter();
  /** Returns the result of a publish. */
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

  get connected(): boolean {
    return this.#connected;
  }

  async untilConnected(signal: AbortSignal): Promise<void> {
    if (!this.#connected) await once(this.#events, "connected", { signal });
  }

  readonly publish = async (message: OutgoingMessage): Promise<PublishResult> => {
    if (!this.#connected) return { kind: "unavailable", reason: "away" };
    const result = await this.answer(message);
    this.published.add(message);
    return result;
  };
}

export const ACKNOWLEDGED: PublishResult = { kind: "acknowledged", reasonCode: 0 };

export function outboxOn(store: Store, broker: TestBroker, options: Partial<OutboxOptions> = {}): Outbox {
  return new Outbox({
    openQueue: (name) => store.queues.queue(name),
    openWorker: (name, processor, settings) => store.queues.worker(name, processor, settings),
    exclusive: store.kind === "embedded",
    publish: broker.publish,
    broker,
    onAccepted() {},
    onTrouble: (_message, error) => broker.troubles.add(error),
    backoffMs: [20],
    ...options,
  });
}

export function outgoing(payload: string, more: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return { id: newId("msg"), topic: "t", payload: Buffer.from(payload), qos: 1, retain: false, ...more };
}

export const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));

/** Arguments of a suite. Store and broker exist only while its tests run; each test gets a new broker. */
export interface Subject {
  readonly kind: StoreUnderTest;
  readonly opened: Awaited<ReturnType<StoreUnderTest["open"]>>;
  readonly broker: TestBroker;
  /** Starts an outbox that is stopped at the end of the test. */
  started(options?: Partial<OutboxOptions>, store?: Store): Promise<Outbox>;
  stop(outbox: Outbox): Promise<void>;
  /** Waits until a message is published or has failed, and returns its state. */
  settled(outbox: Outbox, id: string): Promise<StoredPublish>;
}

/** Runs a suite on each store, with an empty queue for each test. */
export function eachStore(title: string, suite: (subject: Subject) => void): void {
  for (const kind of stores) {
    describe(`${title}: ${kind.name}`, { ...requireOrSkip(...kind.needs), timeout: 120_000 }, () => {
      let opened: Subject["opened"];
      let broker: TestBroker;
      const running = new Set<Outbox>();
      before(async () => {
        opened = await kind.open();
      });
      after(() => opened?.close());
      beforeEach(() => {
        broker = new TestBroker();
      });
      afterEach(async () => {
        for (const outbox of running) await outbox.stop();
        running.clear();
        const queue = opened.store.queues.queue("publish");
        await queue.obliterate({ force: true });
        await queue.close();
      });

      suite({
        kind,
        get opened() {
          return opened;
        },
        get broker() {
          return broker;
        },
        async started(options = {}, store = opened.store) {
          const outbox = outboxOn(store, broker, options);
          await outbox.start();
          running.add(outbox);
          return outbox;
        },
        async stop(outbox) {
          running.delete(outbox);
          await outbox.stop();
        },
        async settled(outbox, id) {
          for (;;) {
            const state = (await outbox.get(id))!;
            if (state.publishedAt !== null || state.error !== null) return state;
            await new Promise(setImmediate);
          }
        },
      });
    });
  }
}
