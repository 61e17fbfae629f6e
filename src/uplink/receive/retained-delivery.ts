/**
 * `retained: "deliver"`: once, after a webhook was registered, it gets what the broker holds retained under its
 * filters. The record says that this is still to be done, so it is done later when the broker is away or the process
 * dies; by any one instance, and twice without harm, since the ids are made from webhook and topic.
 */
import { hashId, type Message, type QoS, type UserProperties } from "../../message.ts";
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
  webhooks(): Iterable<Webhook>;
  /** The topics under a filter that hold a retained message. Rejects when the broker cannot be asked now. */
  findRetained(filter: string): Promise<{ topics: string[]; truncated: boolean }>;
  /** Their messages, without those that hold nothing any more. */
  readSeveral(topics: string[]): AsyncIterable<Retained>;
  /** Whether the broker sends us what the webhooks want: what is published from then on comes as any message. */
  untilInStep(timeoutMs: number): Promise<boolean>;
  isThere(webhookId: string, messageId: string): Promise<boolean>;
  /** Resolves once the delivery is durable. */
  enqueue(message: Message, webhookId: string): Promise<void>;
  /** Writes down that it is done. */
  done(webhookId: string): Promise<void>;
  /** So that one instance does it; see the store's `Claims`. */
  expiringKeys: {
    setIfAbsent(key: string, value: string, ttlSeconds: number): Promise<string | undefined>;
    put(key: string, value: string, ttlSeconds: number): Promise<void>;
    release(key: string): Promise<void>;
  };
  maxPayloadBytes: number;
  observe: {
    snapshotTaken(webhookId: string, found: { topics: number; tooLarge: number; truncated: boolean }): void;
    snapshotFailed(error: Error): void;
  };
  /** For tests. */
  retryMs?: number;
}

/** Of one webhook, over all of its filters. */
const MAX_TOPICS = 10_000;
/** Read, and made durable, at a time. */
const TOGETHER = 200;
/** Renewed while it lasts. When an instance dies at it another one begins anew after this. */
const EXPIRY_SECONDS = 30;
const IN_STEP_MS = 10_000;
const RETRY_MS = 5_000;

export class Snapshots {
  #running = false;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: SnapshotOptions) {}

  /** Takes what is to be taken; to be called after registrations changed. */
  refresh(): void {
    if (!this.#running) void this.#run();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** One after the other: each may be ten thousand messages. */
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
    for (const webhook of this.options.webhooks()) {
      if (webhook.snapshot === "pending" && !left.has(webhook.id)) return webhook;
    }
    return undefined;
  }

  /** @returns false when it must be tried later */
  async #take(webhook: Webhook): Promise<boolean> {
    const { expiringKeys: claims, untilInStep, done, observe } = this.options;
    const { id } = webhook;
    const key = `snapshot-${id}`;
    if (!(await untilInStep(IN_STEP_MS))) return false;
    if ((await claims.setIfAbsent(key, "1", EXPIRY_SECONDS)) !== undefined) return false;
    try {
      const { topics, truncated } = await this.#find(webhook);
      let tooLarge = 0;
      for (let i = 0; i < topics.length; i += TOGETHER) {
        if (this.#stopped) return false;
        await claims.put(key, "1", EXPIRY_SECONDS);
        tooLarge += await this.#enqueue(id, topics.slice(i, i + TOGETHER));
      }
      await done(id);
      observe.snapshotTaken(id, { topics: topics.length, tooLarge, truncated });
      return true;
    } finally {
      await claims.release(key).catch(() => undefined);
    }
  }

  async #find({ topics: filters }: Webhook): Promise<{ topics: string[]; truncated: boolean }> {
    const found = new Set<string>();
    let more = false;
    for (const filter of filters) {
      if (topicFilterError(filter)) continue; // set aside, see set-aside.ts
      const { topics, truncated } = await this.options.findRetained(filter);
      for (const topic of topics) if (found.size < MAX_TOPICS) found.add(topic);
      more ||= truncated || found.size === MAX_TOPICS;
    }
    return { topics: [...found], truncated: more };
  }

  /** @returns how many were too large */
  async #enqueue(webhookId: string, topics: string[]): Promise<number> {
    const { readSeveral, isThere, enqueue, maxPayloadBytes } = this.options;
    let tooLarge = 0;
    const added: Promise<void>[] = [];
    for await (const retained of readSeveral(topics)) {
      if (retained.payload.length > maxPayloadBytes) {
        tooLarge++;
        continue;
      }
      const id = snapshotId(webhookId, retained.topic);
      // Added by somebody who did not live to say so. Where order counts, again would be at another place.
      if (await isThere(webhookId, id)) continue;
      added.push(enqueue({ ...retained, id, retain: true, receivedAt: Date.now() }, webhookId));
    }
    await Promise.all(added);
    return tooLarge;
  }
}

function snapshotId(webhookId: string, topic: string): string {
  return `msg_${hashId(`retained ${webhookId} ${topic}`)}`;
}
