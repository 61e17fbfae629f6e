/** Stages of a delivery: read the registration → ask the breaker → call → decide. */
import { isCallable, type Webhook } from "../../webhooks/webhook.ts";
import type { AttemptResult, Decision } from "../attempt.ts";
import type { Prepare } from "../expressions/apply.ts";
import { healthOf } from "../health/circuit-breaker.ts";
import type { EndpointHealth } from "../health/endpoint-health.ts";
import { logAttempt } from "../queue/attempt-log.ts";
import { postpone, queuePaused } from "../queue/delivery-queue.ts";
import { type Attempt, type Deliver, type DeliveredMessage, fromJob } from "../queue/job.ts";
import { type CallOptions, type CallWebhook, createCall } from "./call.ts";
import { dead, RetryLater, toAttempt } from "./job-outcome.ts";
import type { SendReply } from "./reply.ts";
import { decide } from "./retry-policy.ts";

export interface DeliverOptions extends CallOptions {
  webhook(id: string): Webhook | undefined;
  health: Pick<EndpointHealth, "admit" | "settle">;
  /** Called before a delivery becomes a dead letter. Never rejects. */
  deadLetter(webhook: Webhook, message: DeliveredMessage, attempts: number, lastAttempt: Attempt): Promise<void>;
  /** Applies filter and transform. */
  prepare: Prepare;
  observe(observation: DeliveryObservation): void;
  /** Called when the webhook's filter drops the message. */
  filtered(webhook: Webhook, message: DeliveredMessage): void;
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

/** Delay of a job whose webhook is removed, paused or disabled; by then its worker is closed. */
const CLOSING_MS = 1_000;
/** Delay of a delivery whose reply could not be stored; it uses up no attempt. */
const REPLY_AGAIN_MS = 5_000;

/**
 * @param callBatched calls a webhook with `batch`
 * @returns the processor of one webhook's queue; its return value is stored with the succeeded job
 */
export function createDeliver(webhookId: string, options: DeliverOptions, callBatched?: CallWebhook): Deliver {
  const call = createCall(options);

  return async (job, token, endpoint) => {
    const webhook = options.webhook(webhookId);
    // The jobs of a removed webhook are about to be deleted, and must not count as delivered.
    if (!webhook || !isCallable(webhook)) throw await postpone(job, token, CLOSING_MS);

    const message = fromJob(job);
    const prepared = await options.prepare(webhook, message);
    if (prepared.kind === "filtered") {
      options.filtered(webhook, message);
      return { filtered: true };
    }
    const admitted = await options.health.admit(webhook);
    if (admitted.kind === "wait") {
      await endpoint.pause(admitted.ms);
      throw queuePaused();
    }

    const attempt = job.attemptsMade + 1;
    const now = Date.now();
    const send = (webhook.batch && callBatched) || call;
    const result = prepared.kind === "failed" ? prepared.result : await send(webhook, prepared.message, attempt, now);
    const schedule = webhook.retry.scheduleSeconds;
    const decision = decide(result, { attemptsMade: job.attemptsMade, schedule });
    const kept = toAttempt(result.at ?? now, result, webhook);
    // A call counts once for the endpoint's health, however many events it carried.
    const speaks = result.batch?.leads !== false || admitted.kind === "probe";
    const health = speaks ? healthOf(result, decision) : "neutral";
    const restMs = await options.health.settle(webhook, admitted, { health, decision });
    if (restMs > 0) await endpoint.pause(restMs);
    if (decision.kind === "delivered" && !(await options.reply(webhook, message, result))) {
      throw await postpone(job, token, REPLY_AGAIN_MS);
    }
    options.observe({ webhook, message, attempt, result, decision });
    switch (decision.kind) {
      case "delivered":
        return kept;
      case "retryAt":
        throw new RetryLater(decision.delayMs, kept);
      case "throttled":
      case "gone":
        await logAttempt(job, kept);
        throw queuePaused();
      case "dead":
        await options.deadLetter(webhook, message, attempt, kept);
        throw dead(kept);
    }
  };
}
