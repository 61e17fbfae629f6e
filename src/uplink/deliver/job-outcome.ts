/** Turns a decision into the end of a BullMQ job, and a result into the attempt stored in the job. */
import type { Webhook } from "../../webhooks/webhook.ts";
import type { Decision, ErrorKind } from "../attempt.ts";
import { logAttempt, summary } from "../queue/attempt-log.ts";
import { permanentFailure, queuePaused } from "../queue/delivery-queue.ts";
import type { AttemptEntry, QueuedJob } from "../queue/job.ts";
import { maskSecrets, secretsOf } from "../request/mask-secrets.ts";
import { loggedRequest } from "../request/request-log.ts";
import type { Attempted } from "./attempt.ts";

/** A failed attempt to be retried; carries the delay into the queue's back-off strategy. */
export class RetryLater extends Error {
  constructor(
    readonly delayMs: number,
    attempt: AttemptEntry,
  ) {
    super(JSON.stringify(summary(attempt)));
    // BullMQ stores the stack of each failure: the attempt is more useful there than a stack trace.
    this.stack = JSON.stringify(attempt);
  }
}

/** Ends a job as decided. @returns the attempt, which is stored with the succeeded job */
export async function endJob(job: QueuedJob, decision: Decision, attempt: AttemptEntry): Promise<AttemptEntry> {
  switch (decision.kind) {
    case "delivered":
      return attempt;
    case "retryAt":
      throw new RetryLater(decision.delayMs, attempt);
    case "throttled":
    case "gone":
      await logAttempt(job, attempt);
      throw queuePaused();
    case "dead":
      throw dead(attempt);
  }
}

/** Returns a job to the head of its queue, which is paused. */
export function awaitPause(): never {
  throw queuePaused();
}

/** Returns the error of the last attempt, which makes the job a dead letter. */
export function dead(attempt: AttemptEntry): Error {
  const error = permanentFailure(JSON.stringify(summary(attempt)));
  error.stack = JSON.stringify(attempt);
  return error;
}

/** Back-off strategy of the workers: returns the delay that was decided from the response. */
export function backoff(_attemptsMade: number, _type?: string, error?: Error): number {
  return error instanceof RetryLater ? error.delayMs : 5_000;
}

/**
 * Returns the attempt to store, without credentials that the request contained or the receiver may have echoed. A first
 * attempt that succeeds is stored without its request: it is the one on the hot path, and every message has it.
 * @param attempt 1 for the first attempt
 * @param webhook the registration used for the call
 */
export function toAttempt({ at, result, decision }: Attempted, attempt: number, webhook: Webhook): AttemptEntry {
  const { responseBody, accessToken, request } = result;
  const isPlain = attempt === 1 && decision.kind === "delivered";
  return {
    at: new Date(at).toISOString(),
    statusCode: result.statusCode ?? null,
    error: result.error ?? null,
    durationMs: Math.round(result.durationMs),
    ...(responseBody && { responseBody: maskSecrets(responseBody, secretsOf(webhook, accessToken)) }),
    ...(request && !isPlain && { request: loggedRequest(request, webhook, accessToken) }),
    ...(hasDetail(result.error) && { detail: result.detail }),
  };
}

/** The cause lies in the registration, so its text helps and contains no secret. */
function hasDetail(error: ErrorKind | undefined): boolean {
  return error === "filter_error" || error === "transform_error" || error === "url_error";
}
