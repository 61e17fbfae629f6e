/** The way of a delivery: read the registration → call → decide. */
import { DelayedError, type Job, RateLimitError } from "bullmq";
import type { Webhook } from "../webhooks/webhook.ts";
import { type CallOptions, makeCall } from "./call.ts";
import { type Attempt, type DeliveredMessage, type DeliveryJob, fromJob } from "./delivery.ts";
import { dead, RetryLater, toAttempt } from "./outcome.ts";
import type { SendReply } from "./reply.ts";
import { type AttemptResult, type Decision, decide } from "./retry.ts";

export interface DeliverOptions extends CallOptions {
  webhook(id: string): Webhook | undefined;
  /** The endpoint said that it is gone for ever. */
  disable(webhookId: string, reason: string): Promise<void>;
  observe(observation: DeliveryObservation): void;
  reply: SendReply;
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
/** Until a delivery whose reply could not be stored is tried again, without using up an attempt. */
const REPLY_AGAIN_MS = 5_000;

export type Deliver = (job: Job<DeliveryJob>, token: string | undefined, endpoint: Endpoint) => Promise<Attempt | null>;

/** @returns the processor of one webhook's queue; the answer is kept with the succeeded job */
export function makeDeliver(webhookId: string, options: DeliverOptions): Deliver {
  let failuresInARow = 0;
  const call = makeCall(options);

  return async (job, token, endpoint) => {
    const webhook = options.webhook(webhookId);
    if (!webhook) return null; // removed meanwhile: what waited goes with it
    if (!webhook.enabled || webhook.disabled) {
      await job.moveToDelayed(Date.now() + REST_MIN_MS, token);
      throw new DelayedError();
    }

    const message = fromJob(job);
    const attempt = job.attemptsMade + 1;
    const now = Date.now();
    const result = await call(webhook, message, attempt, now);
    if (!(await options.reply(webhook, message, result))) {
      await job.moveToDelayed(Date.now() + REPLY_AGAIN_MS, token);
      throw new DelayedError();
    }
    const schedule = webhook.retry.scheduleSeconds;
    const decision = decide(result, { attemptsMade: job.attemptsMade, schedule });
    options.observe({ webhook, message, attempt, result, decision });

    const kept = toAttempt(now, result);
    failuresInARow = decision.kind === "delivered" ? 0 : failuresInARow + 1;
    switch (decision.kind) {
      case "delivered":
        return kept;
      case "retryAt":
        if (decision.slowDown) await endpoint.rest(Math.min(REST_MIN_MS * 2 ** (failuresInARow - 1), REST_MAX_MS));
        throw new RetryLater(decision.delayMs, kept);
      case "throttled":
        await endpoint.rest(decision.delayMs);
        throw new RateLimitError();
      case "gone":
        await options.disable(webhookId, "the endpoint answered 410 Gone");
        await endpoint.rest(REST_MIN_MS);
        throw new RateLimitError();
      case "dead":
        throw dead(kept);
    }
  };
}
