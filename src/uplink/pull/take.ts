/** Takes deliveries for consumers: lease → expired lease before → order → filter and transform → event. */
import { randomBytes } from "node:crypto";
import type { Webhook } from "../../webhooks/webhook.ts";
import { decide } from "../deliver/retry-policy.ts";
import type { Prepare } from "../expressions/apply.ts";
import { sequenceText } from "../ordering/message-groups.ts";
import { hasExpired } from "../queue/attempt-log.ts";
import type { DeliveryQueue } from "../queue/delivery-queue.ts";
import { type DeliveredMessage, fromJob, type QueuedJob } from "../queue/job.ts";
import { eventJson } from "../request/cloudevent.ts";
import type { PulledEnding } from "./ending.ts";
import type { DeliveryLease } from "./lease.ts";
import { passes } from "./order.ts";
import { expired } from "./pulled-attempt.ts";

/** A delivery in the hands of a consumer. */
export interface PulledDelivery {
  messageId: string;
  /** 1 for the first attempt. */
  attempt: number;
  leaseToken: string;
  /** CloudEvent in the JSON format. */
  event: Buffer;
  /** Returns the delivery to the queue, because the consumer has gone; uses up no attempt. */
  release(): Promise<unknown>;
}

export interface TakeOptions {
  max: number;
  leaseMs: number;
  /** Whether the consumer may read the content of an event: the webhook may have had other topics. */
  mayRead(content: { topic: string; type: string }): boolean;
  signal: AbortSignal;
}

export interface TakePorts {
  queues: { of(webhookId: string): DeliveryQueue };
  prepare: Prepare;
  ending: Pick<PulledEnding, "attempt" | "filtered">;
  /** CloudEvents `source`. */
  eventSource: string;
}

/** Deliveries taken at once: round trips to the store overlap, and few large payloads are in memory beyond the limit. */
const AT_ONCE = 10;
/** Largest total of the events of one call. The last ones may exceed it. */
export const MAX_BYTES = 8 * 1024 * 1024;
/** Largest total of the events in all responses of the process that are not sent yet; calls end early beyond it. */
const MAX_UNSENT_BYTES = 128 * 1024 * 1024;
/** Ordered webhooks may have to postpone any number of deliveries before one may be handed out. */
const TAKING_MS = 2_000;
/** Delay of an event that this consumer may not read: another one may. */
const UNREADABLE_MS = 30_000;

export class Taker {
  #unsentBytes = 0;

  constructor(private readonly ports: TakePorts) {}

  async take(webhook: Webhook, options: TakeOptions): Promise<PulledDelivery[]> {
    const { max, leaseMs, signal } = options;
    const { leases } = this.ports.queues.of(webhook.id);
    const endsAt = Date.now() + TAKING_MS;
    const found: (PulledDelivery | undefined)[] = [];
    let [count, bytes, next, isEmpty] = [0, 0, 0, false];
    const errors: unknown[] = [];
    const addUnsent = this.#unsentOf(signal);
    const hasRoom = () => count < max && bytes < MAX_BYTES && this.#unsentBytes < MAX_UNSENT_BYTES;
    const takeOne = async () => {
      const place = next++;
      count++;
      const token = randomBytes(16).toString("base64url");
      const job = await leases.take(token, leaseMs);
      if (!job) {
        isEmpty = true;
        return;
      }
      const delivery = await this.#taken(webhook, job, token, options);
      found[place] = delivery;
      if (!delivery) count--;
      else {
        bytes += delivery.event.length;
        addUnsent(delivery);
      }
    };
    const takeAll = async () => {
      while (!isEmpty && hasRoom() && !signal.aborted && Date.now() < endsAt) await takeOne();
    };
    const attempt = (work: () => Promise<void>) => work().catch((error: unknown) => void errors.push(error));
    // Most calls that wait find an empty queue: one round trip tells.
    if (hasRoom()) await attempt(takeOne);
    if (errors.length === 0) await Promise.all(Array.from({ length: Math.min(AT_ONCE, max) }, () => attempt(takeAll)));
    const items = found.filter((delivery) => delivery !== undefined);
    // After a failure the consumer gets those that were taken before; the leases of the others run out.
    if (items.length === 0 && errors.length > 0) throw errors[0];
    return items;
  }

  /** Returns deliveries that are still leased once more; their leases start again. */
  async retake(
    webhook: Webhook,
    leases: readonly DeliveryLease[],
    options: Omit<TakeOptions, "max">,
  ): Promise<PulledDelivery[]> {
    const queue = this.ports.queues.of(webhook.id);
    const found: (PulledDelivery | undefined)[] = [];
    const addUnsent = this.#unsentOf(options.signal);
    const retakeOne = async ({ messageId, leaseToken }: DeliveryLease) => {
      const job = await queue.get(messageId);
      if (!job || !(await queue.leases.hold(job, leaseToken, options.leaseMs))) return undefined;
      const delivery = await this.#prepared(webhook, job, leaseToken, options);
      if (delivery) addUnsent(delivery);
      return delivery;
    };
    for (let i = 0; i < leases.length && !options.signal.aborted; i += AT_ONCE) {
      found.push(...(await Promise.all(leases.slice(i, i + AT_ONCE).map(retakeOne))));
    }
    return found.filter((delivery) => delivery !== undefined);
  }

  /** Counts events until their response is sent, or their consumer has gone. */
  #unsentOf(signal: AbortSignal): (delivery: PulledDelivery) => void {
    let bytes = 0;
    const end = () => (this.#unsentBytes -= bytes);
    return ({ event }) => {
      if (signal.aborted) return;
      if (bytes === 0) signal.addEventListener("abort", end, { once: true });
      bytes += event.length;
      this.#unsentBytes += event.length;
    };
  }

  /** Checks a delivery that was just taken; undefined when it is not for this consumer. */
  async #taken(
    webhook: Webhook,
    job: QueuedJob,
    token: string,
    options: Omit<TakeOptions, "max">,
  ): Promise<PulledDelivery | undefined> {
    const { queues, ending } = this.ports;
    const queue = queues.of(webhook.id);
    if (await hasExpired(queue, job)) {
      const taken = { attemptsMade: job.attemptsMade, retries: webhook.retry.scheduleSeconds.length };
      await ending.attempt(webhook, job, token, expired(taken, Date.now()));
      return undefined;
    }
    return (await passes(webhook, queue, job, token)) ? this.#prepared(webhook, job, token, options) : undefined;
  }

  async #prepared(
    webhook: Webhook,
    job: QueuedJob,
    token: string,
    { mayRead }: Pick<TakeOptions, "mayRead">,
  ): Promise<PulledDelivery | undefined> {
    const { queues, prepare, ending } = this.ports;
    const { leases } = queues.of(webhook.id);
    const { attemptsMade } = job;
    const message = fromJob(job);
    if (!mayRead({ topic: message.topic, type: message.type ?? "mqtt.message" })) {
      await leases.postpone(job, token, UNREADABLE_MS);
      return undefined;
    }
    const ready = await prepare(webhook, message);
    if (ready.kind === "filtered") {
      await ending.filtered(webhook, job, token);
      return undefined;
    }
    if (ready.kind === "failed") {
      const { result } = ready;
      const decision = decide(result, { attemptsMade, schedule: webhook.retry.scheduleSeconds });
      await ending.attempt(webhook, job, token, { kind: "attempted", at: Date.now(), result, decision });
      return undefined;
    }
    return {
      ...{ messageId: job.id!, attempt: attemptsMade + 1, leaseToken: token },
      event: this.#encode(ready.message),
      release: () => leases.release(job, token),
    };
  }

  #encode(message: DeliveredMessage): Buffer {
    return eventJson(message, {
      source: this.ports.eventSource,
      ...(message.type !== undefined && { type: message.type }),
      ...(message.place && { sequence: sequenceText(message.place.sequence) }),
    });
  }
}
