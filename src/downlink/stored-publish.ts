/** Vocabulary of the outbox: options of a publish, data of a job, and its representation in the API. */
import { fromStored, type QoS, type StoredMessage, toStored } from "../message.ts";
import { NO_MATCHING_SUBSCRIBERS, type OutgoingMessage, type PublishResult, refusalText } from "./publish.ts";

export interface AcceptOptions {
  /** Earliest time to publish, milliseconds since the epoch; if absent or past, as soon as possible. */
  sendAt?: number;
  /** Latest time to publish, milliseconds since the epoch; the message's own expiry may be earlier. */
  expiresAt?: number;
  /** Name of a gate that must open immediately before the publish. */
  before?: string;
}

/** Makes a message durable; it is published once the broker is connected. @throws OutboxFullError */
export type Accept = (message: OutgoingMessage, options?: AcceptOptions) => Promise<StoredPublish>;

/** Too many messages wait to be published. */
export class OutboxFullError extends Error {
  override name = "OutboxFullError";
}

/** Thrown by a gate that will never open: the message is `failed` at once, so that it holds up no other. */
export class ShutForGood extends Error {}

/**
 * Resolves when the precondition of a publish is met; the signal ends the wait. After a rejection the gate is called
 * again some seconds later, and meanwhile no other message overtakes; after a dozen rejections, or at once if it
 * rejects with {@link ShutForGood}, the message is `failed` with its error.
 */
export type PublishGate = (message: OutgoingMessage, signal: AbortSignal) => Promise<void>;

/** State of a message in the outbox, as returned by the API. Times are RFC 3339. */
export interface StoredPublish {
  id: string;
  topic: string;
  qos: QoS;
  retain: boolean;
  outcome: "queued" | "scheduled" | "sent" | "acknowledged" | "expired" | "failed";
  acceptedAt: string;
  sendAt: string | null;
  expiresAt: string | null;
  publishedAt: string | null;
  noMatchingSubscribers: boolean | null;
  error: string | null;
}

/** Data of a job; its id is the message's, `receivedAt` the time of acceptance. Times are milliseconds. */
export interface OutboxJob extends StoredMessage {
  sendAt?: number;
  expiresAt?: number;
  before?: string;
  /** Cancelled by an API call: the message is not published any more. */
  cancelled?: true;
}

/** Ending of a message, kept with its finished job. `at`: milliseconds. */
export type Ending =
  | { outcome: "sent" | "acknowledged"; at: number; noMatchingSubscribers: boolean | null }
  | Failed
  | { outcome: "expired" | "cancelled"; at: number };

/** `sent`: the message may have arrived nevertheless. */
export interface Failed {
  outcome: "failed";
  at: number;
  error: string;
  sent?: boolean;
}

export function toJob(message: OutgoingMessage, { sendAt, expiresAt, before }: AcceptOptions, now: number): OutboxJob {
  const later = sendAt !== undefined && sendAt > now ? sendAt : now;
  const ends = [expiresAt, message.expirySeconds !== undefined ? later + message.expirySeconds * 1_000 : undefined];
  const known = ends.filter((end) => end !== undefined);
  return {
    ...toStored({ ...message, receivedAt: now }),
    ...(sendAt !== undefined && { sendAt }),
    ...(known.length > 0 && { expiresAt: Math.min(...known) }),
    ...(before !== undefined && { before }),
  };
}

/** The message of a job, with its remaining expiry at `now` in whole seconds, rounded up. */
export function fromJob(id: string, job: OutboxJob, now: number): OutgoingMessage {
  const { sendAt: _sendAt, expiresAt, before: _before, cancelled: _cancelled, ...stored } = job;
  const { receivedAt: _receivedAt, ...message } = fromStored(id, stored);
  if (expiresAt === undefined) return message;
  return { ...message, expirySeconds: Math.min(Math.ceil((expiresAt - now) / 1_000), MAX_EXPIRY_SECONDS) };
}

/** The longest Message Expiry Interval of MQTT 5. */
const MAX_EXPIRY_SECONDS = 4_294_967_295;

export function isExpired({ expiresAt }: OutboxJob, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now;
}

/** The ending that results from a publish; undefined if the publish must be repeated. */
export function endingOf(result: PublishResult, now: number): Ending | undefined {
  switch (result.kind) {
    case "sent":
      return { outcome: "sent", at: now, noMatchingSubscribers: null };
    case "acknowledged": {
      const { reasonCode } = result;
      const noMatchingSubscribers = reasonCode === undefined ? null : reasonCode === NO_MATCHING_SUBSCRIBERS;
      return { outcome: "acknowledged", at: now, noMatchingSubscribers };
    }
    case "refused":
      return { outcome: "failed", at: now, error: refusalText(result) };
    default:
      return undefined;
  }
}

/** @param progress its ending, or `begun` if it has been at the head of the outbox: its publish may be in progress */
export function toStoredPublish(
  id: string,
  job: OutboxJob,
  progress: Ending | "begun" | undefined,
  now: number,
): StoredPublish {
  const ending = progress === "begun" ? undefined : progress;
  const { topic, qos, retain, receivedAt, sendAt, expiresAt } = job;
  const published = ending?.outcome === "sent" || ending?.outcome === "acknowledged";
  return {
    id,
    topic,
    qos,
    retain,
    outcome: ending && ending.outcome !== "cancelled" ? ending.outcome : waitingOutcome(job, progress === "begun", now),
    acceptedAt: time(receivedAt),
    sendAt: time(sendAt),
    expiresAt: time(expiresAt),
    publishedAt: published ? time(ending.at) : null,
    noMatchingSubscribers: published ? ending.noMatchingSubscribers : null,
    error: ending?.outcome === "failed" ? ending.error : null,
  };
}

function waitingOutcome(job: OutboxJob, begun: boolean, now: number): "queued" | "scheduled" | "expired" {
  if (isExpired(job, now) && !begun) return "expired";
  return job.sendAt !== undefined && job.sendAt > now ? "scheduled" : "queued";
}

function time(ms: number): string;
function time(ms: number | undefined): string | null;
function time(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
