/**
 * Batching: sends several events in one call. Each event stays a separate job with its own attempts and schedule: its
 * call waits here until a batch is full, heavy enough or old enough, and then gets its share of the response.
 */
import { newId } from "../../message.ts";
import type { Webhook } from "../../webhooks/webhook.ts";
import type { AttemptResult } from "../attempt.ts";
import { trustOf } from "../egress/authorization.ts";
import { eventJson } from "../request/cloudevent.ts";
import { type CallOptions, type CallWebhook, createRequests } from "./call.ts";
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

export interface Batches {
  call: CallWebhook;
  /** Sends the collected events, and from now on every event at once: the worker is closing. */
  drain(): void;
}

export interface BatchesOptions extends Omit<CallOptions, "maxPayloadBytes"> {
  /** @param on true when the events are so heavy that the worker must take no more jobs */
  brake(on: boolean): void;
}

/** Creates the batches of one webhook. */
export function createBatches({ send, eventSource, brake }: BatchesOptions): Batches {
  const requests = createRequests(eventSource);
  const waiting: BatchItem[] = [];
  let waitingBytes = 0;
  let heldBytes = 0;
  let isBraked = false;
  let running = 0;
  let isDraining = false;
  let timer: NodeJS.Timeout | undefined;
  /** The registration when the latest event arrived: a change applies from then on. */
  let webhook: Webhook;

  function hold(bytes: number): void {
    heldBytes += bytes;
    const wanted = isBraked ? heldBytes > MAX_HELD_BYTES / 2 : heldBytes > MAX_HELD_BYTES;
    if (wanted === isBraked) return;
    isBraked = wanted;
    brake(wanted);
  }

  function sendDue(): void {
    clearTimeout(timer);
    timer = undefined;
    const { maxSize } = webhook.batch ?? { maxSize: 1 };
    while (waiting.length > 0 && running < webhook.concurrency) {
      const isFull = waiting.length >= maxSize || waitingBytes >= MAX_BODY_BYTES || isBraked;
      const restMs = isFull || isDraining ? 0 : waiting[0]!.leaveBy - Date.now();
      if (restMs > 0) {
        timer = setTimeout(sendDue, restMs);
        return;
      }
      void sendBatch(take(maxSize));
    }
  }

  /** Removes and returns the oldest events: as many as a body may hold, at least one. */
  function take(maxSize: number): BatchItem[] {
    let [count, bytes] = [0, 0];
    while (count < Math.min(maxSize, waiting.length)) {
      const size = waiting[count]!.event.length + 1;
      if (count > 0 && bytes + size > MAX_BODY_BYTES) break;
      bytes += size;
      count++;
    }
    waitingBytes -= bytes;
    return waiting.splice(0, count);
  }

  async function sendBatch(items: BatchItem[]): Promise<void> {
    running++;
    const [id, at] = [newId("batch"), Date.now()];
    const attempt = Math.max(...items.map((item) => item.attempt));
    const events = items.map(({ event }) => event);
    const result = await send({
      url: webhook.url,
      timeoutMs: webhook.timeoutMs,
      maxResponseBytes: KEPT_ANSWER + items.length * ANSWER_BYTES_PER_EVENT,
      ...trustOf(webhook),
      ...requests.batch(webhook, id, events, attempt, at),
    });
    running--;
    const failed = failedIds(result, items);
    const responseBody = result.responseBody?.slice(0, KEPT_ANSWER);
    const shared: AttemptResult = { ...result, at, ...(responseBody !== undefined && { responseBody }) };
    const leader = items.find((item) => !failed?.has(item.id)) ?? items[0];
    for (const item of items) {
      hold(-item.event.length);
      const batch = { id, events: items.length, leads: item === leader };
      item.done({ ...shared, batch, ...(failed?.has(item.id) && { error: "not_accepted" }) });
    }
    if (wantsNoMore(result)) turnBack({ ...shared, batch: { id, events: items.length, leads: false } });
    sendDue();
  }

  /** Ends the waiting events unsent: the response applies to the whole endpoint, and uses up no attempt. */
  function turnBack(result: AttemptResult): void {
    const items = waiting.splice(0);
    waitingBytes = 0;
    for (const { event, done } of items) {
      hold(-event.length);
      done(result);
    }
  }

  return {
    call(current, message, attempt, now) {
      webhook = current;
      const event = eventJson(message, {
        source: eventSource,
        ...(message.type !== undefined && { type: message.type }),
      });
      return new Promise((done) => {
        waiting.push({ id: message.id, event, attempt, leaveBy: now + (current.batch?.maxWaitMs ?? 0), done });
        waitingBytes += event.length + 1;
        hold(event.length);
        sendDue();
      });
    },
    drain() {
      isDraining = true;
      if (waiting.length > 0) sendDue();
    },
  };
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
