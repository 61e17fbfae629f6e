/** The stages of a delivery, from the job to its end. */
import { isCallable, type Webhook } from "../../webhooks/webhook.ts";
import type { Prepare } from "../expressions/apply.ts";
import type { EndpointHealth } from "../health/endpoint-health.ts";
import { postpone } from "../queue/delivery-queue.ts";
import { type Deliver, type DeliveredMessage, fromJob, type AttemptEntry as Recorded } from "../queue/job.ts";
import { createAttempt } from "./attempt.ts";
import { type CallOptions, type CallWebhook, createCall } from "./call.ts";
import { withHealth } from "./health.ts";
import { awaitPause, endJob, toAttempt } from "./job-outcome.ts";
import { type AttemptObserver, withObservation } from "./observation.ts";
import { type ReplyPorts, withReply } from "./reply.ts";

export interface DeliverPorts {
  webhooks: { get(id: string): Webhook | undefined };
  /** Applies filter and transform. */
  prepare: Prepare;
  health: Pick<EndpointHealth, "admit" | "settle">;
  call: CallOptions;
  outbox: ReplyPorts["outbox"];
  deadLetters: {
    /** Called before a delivery becomes a dead letter. Never rejects. */
    deadLetter(webhook: Webhook, message: DeliveredMessage, attempts: number, lastAttempt: Recorded): Promise<void>;
  };
  observe: AttemptObserver &
    ReplyPorts["observe"] & {
      /** Called when the webhook's filter drops the message. */
      filtered(webhook: Webhook, message: DeliveredMessage): void;
    };
}

/** Delay of a job whose webhook is removed, paused or disabled; by then its worker is closed. */
const CLOSING_MS = 1_000;

/**
 * @param callBatched calls a webhook with `batch`
 * @returns the processor of one webhook's queue; its return value is stored with the succeeded job
 */
export function createDeliver(webhookId: string, ports: DeliverPorts, callBatched?: CallWebhook): Deliver {
  const { webhooks, prepare, health, outbox, deadLetters, observe } = ports;
  const called = createAttempt(createCall(ports.call), callBatched);
  const admitted = withHealth(health, called);
  const replied = withReply({ outbox, observe }, admitted);
  const attempted = withObservation(observe, replied);

  return async (job, token, endpoint) => {
    const webhook = webhooks.get(webhookId);
    // The jobs of a removed webhook are about to be deleted, and must not count as delivered.
    if (!webhook || !isCallable(webhook)) throw await postpone(job, token, CLOSING_MS);

    const message = fromJob(job);
    const prepared = await prepare(webhook, message);
    if (prepared.kind === "filtered") {
      observe.filtered(webhook, message);
      return { filtered: true };
    }

    const attempt = job.attemptsMade + 1;
    const outcome = await attempted({ webhook, message, prepared, attempt, endpoint });
    if (outcome.kind === "paused") return awaitPause();
    if (outcome.kind === "postponed") throw await postpone(job, token, outcome.delayMs);

    const record = toAttempt(outcome, attempt, webhook);
    if (outcome.decision.kind === "dead") {
      const { request: _, ...lastAttempt } = record;
      await deadLetters.deadLetter(webhook, message, attempt, lastAttempt);
    }
    return endJob(job, outcome.decision, record);
  };
}
