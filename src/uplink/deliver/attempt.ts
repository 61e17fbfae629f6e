/**
 * The port of a delivery to its attempt, and the attempt itself: call the webhook, then decide. Concerns around the
 * call (health.ts, reply.ts, observation.ts) are functions from this port to this port.
 */
import type { Webhook } from "../../webhooks/webhook.ts";
import type { AttemptResult, Decision } from "../attempt.ts";
import type { Prepared } from "../expressions/apply.ts";
import type { DeliveredMessage, Endpoint } from "../queue/job.ts";
import type { CallWebhook } from "./call.ts";
import { decide } from "./retry-policy.ts";

/** One attempt to make. */
export interface Sending {
  webhook: Webhook;
  /** As received. */
  message: DeliveredMessage;
  /** After filter and transform: the message to send, or the failure of an expression. */
  prepared: Exclude<Prepared, { kind: "filtered" }>;
  /** 1 for the first attempt. */
  attempt: number;
  endpoint: Endpoint;
}

/** The webhook was called, or an expression failed in its place. */
export interface Attempted {
  kind: "attempted";
  /** Start of the call, in milliseconds since the epoch. */
  at: number;
  result: AttemptResult;
  decision: Decision;
}

export type Outcome =
  | Attempted
  /** The endpoint must not be called now, and is paused; the attempt is not used up. */
  | { kind: "paused" }
  /** The delivery must be made again after this time; the attempt is not used up. */
  | { kind: "postponed"; delayMs: number };

/** Makes an attempt. Never rejects. */
export type Attempt = (sending: Sending) => Promise<Outcome>;

/** @param callBatched calls a webhook with `batch` */
export function createAttempt(call: CallWebhook, callBatched: CallWebhook = call): Attempt {
  return async ({ webhook, prepared, attempt }) => {
    const now = Date.now();
    const send = webhook.batch ? callBatched : call;
    const result = prepared.kind === "failed" ? prepared.result : await send(webhook, prepared.message, attempt, now);
    const decision = decide(result, { attemptsMade: attempt - 1, schedule: webhook.retry.scheduleSeconds });
    return { kind: "attempted", at: result.at ?? now, result, decision };
  };
}
