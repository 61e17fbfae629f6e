/** Takes deliveries for a consumer: lease → expired lease before → order → filter and transform → event. */
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

export type Take = (webhook: Webhook, options: TakeOptions) => Promise<PulledDelivery[]>;

/** Deliveries taken at once: round trips to the store overlap, and few large payloads are in memory beyond the limit. */
const AT_ONCE = 10;
/** Largest total of the events of one call. The last ones may exceed it. */
export const MAX_BYTES = 8 * 1024 * 1024;
/** Ordered webhooks may have to postpone any number of deliveries before one may be handed out. */
const TAKING_MS = 2_000;
/** Delay of an event that this consumer may not read: another one may. */
const UNREADABLE_MS = 30_000;

export function createTake({ queues, prepare, ending, eventSource }: TakePorts): Take {
  /** Prepares a taken delivery; undefined when it is not for this consumer. */
  async function prepared(
    webhook: Webhook,
    job: QueuedJob,
    token: string,
    { mayRead }: TakeOptions,
  ): Promise<PulledDelivery | undefined> {
    const queue = queues.of(webhook.id);
    const { attemptsMade } = job;
    const schedule = webhook.retry.scheduleSeconds;
    if (await hasExpired(queue, job)) {
      await ending.attempt(webhook, job, token, expired({ attemptsMade, retries: schedule.length }, Date.now()));
      return undefined;
    }
    if (!(await passes(webhook, queue, job, token))) return undefined;
    const message = fromJob(job);
    if (!mayRead({ topic: message.topic, type: message.type ?? "mqtt.message" })) {
      await queue.leases.postpone(job, token, UNREADABLE_MS);
      return undefined;
    }
    const ready = await prepare(webhook, message);
    if (ready.kind === "filtered") {
      await ending.filtered(webhook, job, token);
      return undefined;
    }
    if (ready.kind === "failed") {
      const { result } = ready;
      const decision = decide(result, { attemptsMade, schedule });
      await ending.attempt(webhook, job, token, { kind: "attempted", at: Date.now(), result, decision });
      return undefined;
    }
    return {
      ...{ messageId: job.id!, attempt: attemptsMade + 1, leaseToken: token },
      event: encode(ready.message),
      release: () => queue.leases.release(job, token),
    };
  }

  function encode(message: DeliveredMessage): Buffer {
    return eventJson(message, {
      source: eventSource,
      ...(message.type !== undefined && { type: message.type }),
      ...(message.place && { sequence: sequenceText(message.place.sequence) }),
    });
  }

  return async (webhook, options) => {
    const { max, leaseMs, signal } = options;
    const { leases } = queues.of(webhook.id);
    const endsAt = Date.now() + TAKING_MS;
    const found: (PulledDelivery | undefined)[] = [];
    let [count, bytes, next, isEmpty] = [0, 0, 0, false];
    const errors: unknown[] = [];
    const takeSome = async () => {
      while (!isEmpty && count < max && bytes < MAX_BYTES && !signal.aborted && Date.now() < endsAt) {
        const place = next++;
        count++;
        const token = randomBytes(16).toString("base64url");
        const job = await leases.take(token, leaseMs);
        if (!job) {
          isEmpty = true;
          return;
        }
        const delivery = await prepared(webhook, job, token, options);
        found[place] = delivery;
        if (delivery) bytes += delivery.event.length;
        else count--;
      }
    };
    const takers = Array.from({ length: Math.min(AT_ONCE, max) }, () =>
      takeSome().catch((error: unknown) => void errors.push(error)),
    );
    await Promise.all(takers);
    const items = found.filter((delivery) => delivery !== undefined);
    // After a failure the consumer gets those that were taken before; the leases of the others run out.
    if (items.length === 0 && errors.length > 0) throw errors[0];
    return items;
  };
}
