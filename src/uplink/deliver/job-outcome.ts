/** How a decision becomes the end of a BullMQ job, and what an attempt leaves behind in it. */
import { UnrecoverableError } from "bullmq";
import type { Webhook } from "../../webhooks/webhook.ts";
import type { AttemptResult } from "../attempt.ts";
import { withoutBody } from "../queue/attempt-log.ts";
import type { Attempt } from "../queue/job.ts";
import { maskSecrets, secretsOf } from "./mask-secrets.ts";

/** A failed attempt that has another one to follow; carries the time to it into the queue's back-off. */
export class RetryLater extends Error {
  constructor(
    readonly delayMs: number,
    attempt: Attempt,
  ) {
    super(JSON.stringify(withoutBody(attempt)));
    // BullMQ keeps the stack of each failure: the attempt itself says more than where it was thrown.
    this.stack = JSON.stringify(attempt);
  }
}

/** The last attempt: the job becomes a dead letter. */
export function dead(attempt: Attempt): Error {
  const error = new UnrecoverableError(JSON.stringify(withoutBody(attempt)));
  error.stack = JSON.stringify(attempt);
  return error;
}

/** The back-off strategy of the workers: the delay was decided with the answer at hand. */
export function backoff(_attemptsMade: number, _type?: string, error?: Error): number {
  return error instanceof RetryLater ? error.delayMs : 5_000;
}

/**
 * What is kept of a call, without credentials that the receiver may have echoed.
 * @param at when the call began, in milliseconds since the epoch
 * @param webhook as it was called
 */
export function toAttempt(at: number, result: AttemptResult, webhook: Webhook): Attempt {
  const { responseBody, accessToken } = result;
  return {
    at: new Date(at).toISOString(),
    statusCode: result.statusCode ?? null,
    error: result.error ?? null,
    durationMs: Math.round(result.durationMs),
    ...(responseBody && { responseBody: maskSecrets(responseBody, secretsOf(webhook, accessToken)) }),
    ...((result.error === "filter_error" || result.error === "transform_error") && { detail: result.detail }),
  };
}
