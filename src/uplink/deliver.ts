/** The way of a delivery: read the registration → call → decide. */
import { DelayedError, type Job, RateLimitError } from "bullmq";
import { isCallable, type Webhook } from "../webhooks/webhook.ts";
import { logAttempt } from "./attempt-log.ts";
import { type CallOptions, type CallWebhook, makeCall } from "./call.ts";
import { type Attempt, type DeliveredMessage, type DeliveryJob, type Filtered, fromJob } from "./delivery.ts";
import { dead, RetryLater, toAttempt } from "./outcome.ts";
import type { Prepare } from "./prepare.ts";
import { type AttemptResult, type Decision, decide } from "./retry.ts";

export interface DeliverOptions extends CallOptions {
  webhook(id: string): Webhook | undefined;
  /** The endpoint said that it is gone for ever. */
  disable(webhookId: string, reason: string): Promise<void>;
  /** Filter and transform. */
  prepare: Prepare;
  observe(observation: DeliveryObservation): void;
  /** The webhook's filter leaves the message out. */
  filtered(webhook: Webhook, message: DeliveredMessage): void;
}

export interface DeliveryObservation {
  webhook: Webhook;
  message: DeliveredMessage;
  /** 1 for the first call. */
  attempt: number;
  result: AttemptResult;
  decision: Decision;
}

/** What a worker can do to its whole queue. */
export interface Endpoint {
  /** Milliseconds for which nothing of this webhook is called. */
  rest(ms: number): Promise<void>;
}

/** While an endpoint is overloaded or unreachable: a rest after each failure, 1 s doubling to 30 s. */
const REST_MIN_MS = 1_000;
const REST_MAX_MS = 30_000;

export type Deliver = (
  job: Job<DeliveryJob>,
  token: string | undefined,
  endpoint: Endpoint,
) => Promise<Attempt | Filtered | null>;

/**
 * @param callBatched calls a webhook with `batch`
 * @returns the processor of one webhook's queue; the answer is kept with the succeeded job
 */
export function makeDeliver(webhookId: string, options: DeliverOptions, callBatched?: CallWebhook): Deliver {
  let failuresInARow = 0;
  const call = makeCall(options);

  return async (job, token, endpoint) => {
    const webhook = options.webhook(webhookId);
    if (!webhook) return null; // removed meanwhile: what waited goes with it
    if (!isCallable(webhook)) {
      await job.moveToDelayed(Date.now() + REST_MIN_MS, token);
      throw new DelayedError();
    }

    const message = fromJob(job);
    const prepared = await options.prepare(webhook, message);
    if (prepared.kind === "filtered") {
      options.filtered(webhook, message);
      return { filtered: true };
    }
    const attempt = job.attemptsMade + 1;
    const now = Date.now();
    const send = (webhook.batch && callBatched) || call;
    const result = prepared.kind === "failed" ? prepared.result : await send(webhook, prepared.message, attempt, now);
    const schedule = webhook.retry.scheduleSeconds;
    const decision = decide(result, { attemptsMade: job.attemptsMade, schedule });
    options.observe({ webhook, message, attempt, result, decision });

    const kept = toAttempt(result.at ?? now, result);
    if (decision.kind === "delivered") failuresInARow = 0;
    else if (result.batch?.leads !== false && prepared.kind === "send") failuresInARow++;
    switch (decision.kind) {
      case "delivered":
        return kept;
      case "retryAt":
        if (decision.slowDown) await endpoint.rest(Math.min(REST_MIN_MS * 2 ** (failuresInARow - 1), REST_MAX_MS));
        throw new RetryLater(decision.delayMs, kept);
      case "throttled":
        await logAttempt(job, kept);
        await endpoint.rest(decision.delayMs);
        throw new RateLimitError();
      case "gone":
        await logAttempt(job, kept);
        await options.disable(webhookId, "the endpoint answered 410 Gone");
        await endpoint.rest(REST_MIN_MS);
        throw new RateLimitError();
      case "dead":
        throw dead(kept);
    }
  };
}
