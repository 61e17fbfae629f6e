/** The vocabulary of the outbox: what is asked of it, what a job of it holds, and what the API says of one. */
import { fromStored, type QoS, type StoredMessage, toStored } from "../message.ts";
import { NO_MATCHING_SUBSCRIBERS, type OutgoingMessage, type PublishResult, refusalText } from "./publish.ts";

export interface AcceptOptions {
  /** Milliseconds since the epoch before which it is not published; absent or past: as soon as possible. */
  sendAt?: number;
  /** Milliseconds since the epoch from which on it is not published any more; the message's own expiry may be sooner. */
  expiresAt?: number;
  /** The name of a gate that must have opened right before it is published. */
  before?: string;
}

/** Makes a message durable; it is published as soon as the broker is there. @throws Problem when too many wait */
export type Accept = (message: OutgoingMessage, options?: AcceptOptions) => Promise<StoredPublish>;

/** What a gate throws that will not open: the message is `failed` at once, so that it holds up no other. */
export class ShutForGood extends Error {}

/**
 * Resolves when what must stand before a publish stands; the signal ends the wait. When it rejects it is asked again
 * after some seconds, and meanwhile nothing overtakes; after a dozen times, or at once when it rejects with
 * {@link ShutForGood}, the message is `failed` with its error.
 */
export type Gate = (message: OutgoingMessage, signal: AbortSignal) => Promise<void>;

/** The state of a message in the outbox, as the API shows it. Times are RFC 3339. */
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

/** A job's data; its id is the message's, `receivedAt` the time of acceptance. Times are milliseconds. */
export interface OutboxJob extends StoredMessage {
  sendAt?: number;
  expiresAt?: number;
  before?: string;
  /** A person took it back: it is not published any more. */
  cancelled?: true;
}

/** What became of a message, kept with its finished job. `at`: milliseconds. */
export type Ending =
  | { outcome: "sent" | "acknowledged"; at: number; noMatchingSubscribers: boolean | null }
  | Failed
  | { outcome: "expired" | "cancelled"; at: number };

/** `sent`: it may have arrived all the same. */
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

/** The message of a job, with the expiry that is left of it at `now`: in whole seconds, rounded up. */
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

/** The ending that a publish brought, undefined when it must be tried again. */
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

/** @param progress its ending, `begun` when it has been at the head of the line: then it may be on its way just now */
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
