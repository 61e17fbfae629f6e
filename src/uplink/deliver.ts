/** The way of a delivery: read the registration → ask the breaker → call → decide. */
import { DelayedError, type Job, RateLimitError } from "bullmq";
import type { Webhook } from "../webhooks/webhook.ts";
import { healthOf } from "./breaker.ts";
import { type CallOptions, makeCall } from "./call.ts";
import { type Attempt, type DeliveredMessage, type DeliveryJob, fromJob } from "./delivery.ts";
import type { EndpointHealth } from "./health.ts";
import { dead, RetryLater, toAttempt } from "./outcome.ts";
import { type AttemptResult, type Decision, decide } from "./retry.ts";

export interface DeliverOptions extends CallOptions {
  webhook(id: string): Webhook | undefined;
  health: Pick<EndpointHealth, "admit" | "settle">;
  /** Told before the delivery is given up. Never rejects. */
  deadLetter(webhook: Webhook, message: DeliveredMessage, attempts: number, lastAttempt: Attempt): Promise<void>;
  observe(observation: DeliveryObservation): void;
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

/** Until a webhook that is paused or disabled is looked at again; by then its worker is closed. */
const CLOSING_MS = 1_000;

export type Deliver = (job: Job<DeliveryJob>, token: string | undefined, endpoint: Endpoint) => Promise<Attempt | null>;

/** @returns the processor of one webhook's queue; the answer is kept with the succeeded job */
export function makeDeliver(webhookId: string, options: DeliverOptions): Deliver {
  const call = makeCall(options);

  return async (job, token, endpoint) => {
    const webhook = options.webhook(webhookId);
    if (!webhook) return null; // removed meanwhile: what waited goes with it
    if (!webhook.enabled || webhook.disabled) {
      await job.moveToDelayed(Date.now() + CLOSING_MS, token);
      throw new DelayedError();
    }

    const admitted = await options.health.admit(webhook);
    if (admitted.kind === "wait") {
      await endpoint.rest(admitted.ms);
      throw new RateLimitError();
    }

    const message = fromJob(job);
    const attempt = job.attemptsMade + 1;
    const now = Date.now();
    const result = await call(webhook, message, attempt, now);
    const schedule = webhook.retry.scheduleSeconds;
    const decision = decide(result, { attemptsMade: job.attemptsMade, schedule });
    options.observe({ webhook, message, attempt, result, decision });

    const kept = toAttempt(now, result);
    const restMs = await options.health.settle(webhook, admitted, { health: healthOf(result, decision), decision });
    if (restMs > 0) await endpoint.rest(restMs);
    switch (decision.kind) {
      case "delivered":
        return kept;
      case "retryAt":
        throw new RetryLater(decision.delayMs, kept);
      case "throttled":
      case "gone":
        throw new RateLimitError();
      case "dead":
        await options.deadLetter(webhook, message, attempt, kept);
        throw dead(kept);
    }
  };
}
