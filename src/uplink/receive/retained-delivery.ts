/**
 * `retained: "deliver"`: delivers the retained messages under a webhook's filters once, after its registration. The
 * registration records that this is pending, so it is done later if the broker is unavailable or the process dies, by
 * any one instance. A repetition is harmless, since the ids derive from webhook and topic.
 */
import { hashId, type Message, type QoS, type StoredMessage, toStored, type UserProperties } from "../../message.ts";
import { topicFilterError } from "../../topic.ts";
import type { Webhook } from "../../webhooks/webhook.ts";

interface Retained {
  topic: string;
  payload: Buffer;
  qos: QoS;
  contentType?: string;
  userProperties?: UserProperties;
}

export interface SnapshotOptions {
  webhooks: { all(): Iterable<Webhook> };
  /** Finds the topics under a filter that have a retained message. Rejects when the broker cannot be queried now. */
  findRetained(filter: string): Promise<{ topics: string[]; truncated: boolean }>;
  /** Reads the retained messages of the topics; skips topics that no longer have one. */
  readSeveral(topics: string[]): AsyncIterable<Retained>;
  subscriptions: {
    /** Resolves true once they match the registrations: later publishes then arrive as ordinary messages. */
    untilSynchronized(timeoutMs: number): Promise<boolean>;
  };
  deliveries: {
    isThere(webhookId: string, messageId: string): Promise<boolean>;
    /** Adds without order. Resolves once the deliveries are durable; rejects when the store is unavailable. */
    add(webhookId: string, jobs: { id: string; data: StoredMessage }[]): Promise<void>;
  };
  /** Counts the messages. */
  ledger: { note(outcome: "enqueued"): void };
  /** Records in the registration that the snapshot is done. */
  done(webhookId: string): Promise<void>;
  /** Ensures that one instance at a time does this; see the store's `ExpiringKeys`. */
  expiringKeys: {
    setIfAbsent(key: string, value: string, ttlSeconds: number): Promise<string | undefined>;
    put(key: string, value: string, ttlSeconds: number): Promise<void>;
    release(key: string): Promise<void>;
  };
  maxPayloadBytes: number;
  observe: {
    received(outcome: "enqueued", message: Message, webhookIds: string[]): void;
    snapshotTaken(webhookId: string, found: { topics: number; tooLarge: number; truncated: boolean }): void;
    snapshotFailed(error: Error): void;
  };
  /** For tests. */
  retryMs?: number;
}

/** Limit per webhook, over all of its filters. */
const MAX_TOPICS = 10_000;
/** Messages read and made durable together. */
const TOGETHER = 200;
/** Renewed during the work. If the instance dies, another one starts over after this time. */
const EXPIRY_SECONDS = 30;
const SYNCHRONIZED_MS = 10_000;
const RETRY_MS = 5_000;

export class Snapshots {
  #running = false;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: SnapshotOptions) {}

  /** Takes the pending snapshots. Call it after registrations have changed. */
  refresh(): void {
    if (!this.#running) void this.#run();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Takes one snapshot after the other: each may have ten thousand messages. */
  async #run(): Promise<void> {
    this.#running = true;
    clearTimeout(this.#timer);
    const left = new Set<string>();
    for (let next = this.#next(left); next && !this.#stopped; next = this.#next(left)) {
      const taken = await this.#take(next).catch((error: Error) => {
        this.options.observe.snapshotFailed(error);
        return false;
      });
      if (!taken) left.add(next.id);
    }
    this.#running = false;
    if (left.size === 0 || this.#stopped) return;
    this.#timer = setTimeout(() => this.refresh(), this.options.retryMs ?? RETRY_MS).unref();
  }

  #next(left: ReadonlySet<string>): Webhook | undefined {
    for (const webhook of this.options.webhooks.all()) {
      if (webhook.snapshot === "pending" && !left.has(webhook.id)) return webhook;
    }
    return undefined;
  }

  /** @returns false when it must be retried later */
  async #take(webhook: Webhook): Promise<boolean> {
    const { expiringKeys, subscriptions, done, observe } = this.options;
    const { id } = webhook;
    const key = `snapshot-${id}`;
    if (!(await subscriptions.untilSynchronized(SYNCHRONIZED_MS))) return false;
    if ((await expiringKeys.setIfAbsent(key, "1", EXPIRY_SECONDS)) !== undefined) return false;
    try {
      const { topics, truncated } = await this.#find(webhook);
      let tooLarge = 0;
      for (let i = 0; i < topics.length; i += TOGETHER) {
        if (this.#stopped) return false;
        await expiringKeys.put(key, "1", EXPIRY_SECONDS);
        tooLarge += await this.#enqueue(id, topics.slice(i, i + TOGETHER));
      }
      await done(id);
      observe.snapshotTaken(id, { topics: topics.length, tooLarge, truncated });
      return true;
    } finally {
      await expiringKeys.release(key).catch(() => undefined);
    }
  }

  async #find({ topics: filters }: Webhook): Promise<{ topics: string[]; truncated: boolean }> {
    const found = new Set<string>();
    let more = false;
    for (const filter of filters) {
      if (topicFilterError(filter)) continue; // skipped, see rejected-filters.ts
      const { topics, truncated } = await this.options.findRetained(filter);
      for (const topic of topics) if (found.size < MAX_TOPICS) found.add(topic);
      more ||= truncated || found.size === MAX_TOPICS;
    }
    return { topics: [...found], truncated: more };
  }

  /** @returns the number of messages that were too large */
  async #enqueue(webhookId: string, topics: string[]): Promise<number> {
    const { readSeveral, deliveries, maxPayloadBytes } = this.options;
    let tooLarge = 0;
    const added: Promise<void>[] = [];
    for await (const retained of readSeveral(topics)) {
      if (retained.payload.length > maxPayloadBytes) {
        tooLarge++;
        continue;
      }
      const id = snapshotId(webhookId, retained.topic);
      // An instance that died before it recorded the end has added it. In an ordered webhook, a second add would take
      // another place.
      if (await deliveries.isThere(webhookId, id)) continue;
      added.push(this.#add(webhookId, { ...retained, id, retain: true, receivedAt: Date.now() }));
    }
    await Promise.all(added);
    return tooLarge;
  }

  async #add(webhookId: string, message: Message): Promise<void> {
    const { deliveries, ledger, observe } = this.options;
    await deliveries.add(webhookId, [{ id: message.id, data: toStored(message) }]);
    ledger.note("enqueued");
    observe.received("enqueued", message, [webhookId]);
  }
}

function snapshotId(webhookId: string, topic: string): string {
  return `msg_${hashId(`retained ${webhookId} ${topic}`)}`;
}
