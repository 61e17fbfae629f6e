/**
 * Batching: sends several events in one call. Each event stays a separate job with its own attempts and schedule: its
 * call waits here until a batch is full, heavy enough or old enough, and then gets its share of the response.
 */
import { newId } from "../../message.ts";
import type { Webhook } from "../../webhooks/webhook.ts";
import type { AttemptResult } from "../attempt.ts";
import { trustOf } from "../egress/authorization.ts";
import { eventJson } from "../request/cloudevent.ts";
import { type CallOptions, type CallWebhook, createRequests, type Requests, withRequest } from "./call.ts";
import { decide } from "./retry-policy.ts";

/** Largest request body, unless a single event is larger. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;
/** Maximum number of waiting and running jobs of one webhook: as many small ones as a process can hold. */
const MAX_JOBS = 2_000;
/** Above this total size of its events a webhook's worker takes no more jobs, until the size falls to half of it. */
const MAX_HELD_BYTES = 32 * 1024 * 1024;
/** Room in the response for one event: an id of 40 characters in quotation marks, a comma, and blanks. */
const ANSWER_BYTES_PER_EVENT = 64;
/** Length of the response stored with each event. */
const KEPT_ANSWER = 1_024;

/** Returns how many jobs of a webhook may run at once: as many as its calls hold, plus those of the next call. */
export function jobsAtOnce({ concurrency, batch }: Pick<Webhook, "concurrency" | "batch">): number {
  return batch ? Math.min(batch.maxSize * (concurrency + 1), MAX_JOBS) : concurrency;
}

interface BatchItem {
  id: string;
  event: Buffer;
  attempt: number;
  /** Latest time to send the event, in milliseconds since the epoch. */
  leaveBy: number;
  done(result: AttemptResult): void;
}

export interface BatchesOptions extends Omit<CallOptions, "maxPayloadBytes"> {
  /** @param on true when the events are so heavy that the worker must take no more jobs */
  brake(on: boolean): void;
}

/** Batches of one webhook. */
export class Batches {
  readonly #requests: Requests;
  readonly #waiting: BatchItem[] = [];
  #waitingBytes = 0;
  #heldBytes = 0;
  #isBraked = false;
  #running = 0;
  #isDraining = false;
  #timer: NodeJS.Timeout | undefined;
  /** The registration when the latest event arrived: a change applies from then on. */
  #webhook!: Webhook;

  constructor(private readonly options: BatchesOptions) {
    this.#requests = createRequests(options.eventSource);
  }

  readonly call: CallWebhook = (webhook, message, attempt, now) => {
    this.#webhook = webhook;
    const event = eventJson(message, {
      source: this.options.eventSource,
      ...(message.type !== undefined && { type: message.type }),
    });
    return new Promise((done) => {
      this.#waiting.push({ id: message.id, event, attempt, leaveBy: now + (webhook.batch?.maxWaitMs ?? 0), done });
      this.#waitingBytes += event.length + 1;
      this.#hold(event.length);
      this.#sendDue();
    });
  };

  /** Sends the collected events, and from now on every event at once: the worker is closing. */
  drain(): void {
    this.#isDraining = true;
    if (this.#waiting.length > 0) this.#sendDue();
  }

  #hold(bytes: number): void {
    this.#heldBytes += bytes;
    const wanted = this.#heldBytes > (this.#isBraked ? MAX_HELD_BYTES / 2 : MAX_HELD_BYTES);
    if (wanted === this.#isBraked) return;
    this.#isBraked = wanted;
    this.options.brake(wanted);
  }

  readonly #sendDue = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { maxSize } = this.#webhook.batch ?? { maxSize: 1 };
    while (this.#waiting.length > 0 && this.#running < this.#webhook.concurrency) {
      const isFull = this.#waiting.length >= maxSize || this.#waitingBytes >= MAX_BODY_BYTES || this.#isBraked;
      const restMs = isFull || this.#isDraining ? 0 : this.#waiting[0]!.leaveBy - Date.now();
      if (restMs > 0) {
        this.#timer = setTimeout(this.#sendDue, restMs);
        return;
      }
      void this.#sendBatch(this.#take(maxSize));
    }
  };

  /** Removes and returns the oldest events: as many as a body may hold, at least one. */
  #take(maxSize: number): BatchItem[] {
    let [count, bytes] = [0, 0];
    while (count < Math.min(maxSize, this.#waiting.length)) {
      const size = this.#waiting[count]!.event.length + 1;
      if (count > 0 && bytes + size > MAX_BODY_BYTES) break;
      bytes += size;
      count++;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  async #sendBatch(items: BatchItem[]): Promise<void> {
    this.#running++;
    const webhook = this.#webhook;
    const [id, at] = [newId("batch"), Date.now()];
    const attempt = Math.max(...items.map((item) => item.attempt));
    const events = items.map(({ event }) => event);
    const call = {
      method: webhook.method ?? ("POST" as const),
      url: webhook.url,
      timeoutMs: webhook.timeoutMs,
      maxResponseBytes: KEPT_ANSWER + items.length * ANSWER_BYTES_PER_EVENT,
      ...trustOf(webhook),
      ...this.#requests.batch(webhook, id, events, attempt, at),
    };
    const result = withRequest(await this.options.send(call), call);
    this.#running--;
    this.#share(items, result, id, at);
    this.#sendDue();
  }

  /** Gives each event its share of the response. */
  #share(items: BatchItem[], result: AttemptResult, id: string, at: number): void {
    const failed = failedIds(result, items);
    const responseBody = result.responseBody?.slice(0, KEPT_ANSWER);
    const shared: AttemptResult = { ...result, at, ...(responseBody !== undefined && { responseBody }) };
    const leader = items.find((item) => !failed?.has(item.id)) ?? items[0];
    for (const item of items) {
      this.#hold(-item.event.length);
      const batch = { id, events: items.length, leads: item === leader };
      item.done({ ...shared, batch, ...(failed?.has(item.id) && { error: "not_accepted" }) });
    }
    if (wantsNoMore(result)) this.#turnBack({ ...shared, batch: { id, events: items.length, leads: false } });
  }

  /** Ends the waiting events unsent: the response applies to the whole endpoint, and uses up no attempt. */
  #turnBack(result: AttemptResult): void {
    const items = this.#waiting.splice(0);
    this.#waitingBytes = 0;
    for (const { event, done } of items) {
      this.#hold(-event.length);
      done(result);
    }
  }
}

function wantsNoMore(result: AttemptResult): boolean {
  const { kind } = decide(result, { attemptsMade: 0, schedule: [1] });
  return kind === "throttled" || kind === "gone";
}

/**
 * Returns the ids of the events that the receiver did not accept: `200 {"failed": [<id>…]}`. Any other response applies
 * to all events. A truncated one may name any event: delivering an event twice is better than losing it.
 */
function failedIds(
  { statusCode, responseBody = "", responseTruncated }: AttemptResult,
  items: BatchItem[],
): Set<unknown> | undefined {
  if (statusCode !== 200 || !responseBody.includes('"failed"')) return undefined;
  if (responseTruncated)
    return responseBody.trimStart().startsWith("{") ? new Set(items.map(({ id }) => id)) : undefined;
  try {
    const { failed } = JSON.parse(responseBody) as { failed?: unknown };
    return Array.isArray(failed) ? new Set(failed) : undefined;
  } catch {
    return undefined;
  }
}
