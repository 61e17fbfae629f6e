/** Stores the outcome of an attempt by a consumer. */
import type { Webhook } from "../../webhooks/webhook.ts";
import type { Attempted } from "../deliver/attempt.ts";
import { dead, RetryLater, toAttempt } from "../deliver/job-outcome.ts";
import type { AttemptObserver } from "../deliver/observation.ts";
import type { DeliveryQueue } from "../queue/delivery-queue.ts";
import { type AttemptEntry, type DeliveredMessage, fromJob, type GroupTail, type QueuedJob } from "../queue/job.ts";
import { afterEnd, promoteSuccessors } from "./order.ts";

export interface EndingPorts {
  queues: { of(webhookId: string): DeliveryQueue };
  deadLetters: {
    /** Called before a delivery becomes a dead letter. Never rejects. */
    deadLetter(webhook: Webhook, message: DeliveredMessage, attempts: number, last: AttemptEntry): Promise<void>;
  };
  retention: {
    /** Called when deliveries have succeeded or become dead letters. */
    changed(webhookId: string, count: number): void;
  };
  /** Group tails, which a delivery deletes if they still hold this value. */
  tails: { releaseIf(key: string, value: string): Promise<void> };
  observe: AttemptObserver & {
    /** Called when the webhook's filter drops the message. */
    filtered(webhook: Webhook, message: DeliveredMessage): void;
  };
}

export class PulledEnding {
  constructor(private readonly ports: EndingPorts) {}

  /** Ends an attempt. @returns false when the token does not hold the delivery */
  async attempt(webhook: Webhook, job: QueuedJob, token: string, attempted: Attempted): Promise<boolean> {
    const { deadLetters, observe } = this.ports;
    const { leases } = this.ports.queues.of(webhook.id);
    const { decision } = attempted;
    const [message, attempt] = [fromJob(job), job.attemptsMade + 1];
    const record = toAttempt(attempted, attempt, webhook);
    const end = async () => {
      if (decision.kind === "delivered") return leases.complete(job, token, record);
      if (decision.kind === "retryAt") return leases.fail(job, token, new RetryLater(decision.delayMs, record));
      return leases.fail(job, token, dead(record));
    };
    const isDead = decision.kind === "dead";
    // Nothing may be announced for an expired lease.
    if (isDead && !(await leases.hold(job, token))) return false;
    if (isDead) await deadLetters.deadLetter(webhook, message, attempt, record);
    const isStored = decision.kind === "retryAt" ? await end() : await this.#final(webhook, job, token, end);
    if (isStored) observe.attempted({ webhook, message, attempt }, attempted);
    return isStored;
  }

  /** Ends a delivery that the webhook's filter excludes. */
  async filtered(webhook: Webhook, job: QueuedJob, token: string): Promise<void> {
    const { leases } = this.ports.queues.of(webhook.id);
    const end = () => leases.complete(job, token, { filtered: true });
    if (await this.#final(webhook, job, token, end)) this.ports.observe.filtered(webhook, fromJob(job));
  }

  /** Ends a delivery for good, its successors promoted. */
  async #final({ id }: Webhook, job: QueuedJob, token: string, end: () => Promise<boolean>): Promise<boolean> {
    const { queues, retention, tails } = this.ports;
    const queue = queues.of(id);
    if (job.data.place) {
      if (!(await queue.leases.hold(job, token))) return false;
      await promoteSuccessors(queue, job);
    }
    if (!(await end())) return false;
    retention.changed(id, 1);
    await afterEnd(queue, job, ({ key, value }: GroupTail) => tails.releaseIf(key, value));
    return true;
  }
}
