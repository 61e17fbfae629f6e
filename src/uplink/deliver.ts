/** The way of a delivery: read the registration → build the request → sign → POST → decide. */
import { DelayedError, type Job, RateLimitError, UnrecoverableError } from "bullmq";
import { fromStored, type Message } from "../message.ts";
import type { Webhook } from "../webhooks/webhook.ts";
import type { Attempt, DeliveryJob } from "./delivery.ts";
import { buildRequest } from "./event.ts";
import { type AttemptResult, type Decision, decide } from "./retry.ts";
import type { Sender } from "./send.ts";
import { parseSecret, sign } from "./sign.ts";

export interface DeliverOptions {
  webhook(id: string): Webhook | undefined;
  send: Sender["send"];
  /** The endpoint said that it is gone for ever. */
  disable(webhookId: string, reason: string): Promise<void>;
  observe(observation: DeliveryObservation): void;
  eventSource: string;
}

export interface DeliveryObservation {
  webhook: Webhook;
  message: Message;
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

/** A failed attempt that has another one to follow; carries the time to it into the queue's back-off. */
export class RetryLater extends Error {
  constructor(
    readonly delayMs: number,
    attempt: Attempt,
  ) {
    super(JSON.stringify(attempt));
    // BullMQ keeps the stack of each failure: the attempt itself says more than where it was thrown.
    this.stack = this.message;
  }
}

/** The back-off strategy of the workers: the delay was decided with the answer at hand. */
export function backoff(_attemptsMade: number, _type?: string, error?: Error): number {
  return error instanceof RetryLater ? error.delayMs : 5_000;
}

/** While an endpoint is overloaded or unreachable: a rest after each failure, 1 s doubling to 30 s. */
const REST_MIN_MS = 1_000;
const REST_MAX_MS = 30_000;

export type Deliver = (job: Job<DeliveryJob>, token: string | undefined, endpoint: Endpoint) => Promise<Attempt | null>;

/** @returns the processor of one webhook's queue; the answer is kept with the succeeded job */
export function makeDeliver(webhookId: string, options: DeliverOptions): Deliver {
  let failuresInARow = 0;
  let cachedSecret: { text: string; key: Buffer } | undefined;

  function secretKey(text: string): Buffer {
    if (cachedSecret?.text !== text) cachedSecret = { text, key: parseSecret(text) };
    return cachedSecret.key;
  }

  return async (job, token, endpoint) => {
    const webhook = options.webhook(webhookId);
    if (!webhook) return null; // removed meanwhile: what waited goes with it
    if (!webhook.enabled || webhook.disabled) {
      await job.moveToDelayed(Date.now() + REST_MIN_MS, token);
      throw new DelayedError();
    }

    const message = fromStored(job.id!, job.data);
    const attempt = job.attemptsMade + 1;
    const now = Date.now();
    const { body, headers } = buildRequest(message, {
      mode: webhook.mode,
      source: options.eventSource,
      webhookHeaders: webhook.headers,
      attempt,
      now,
    });
    headers["webhook-signature"] = sign(secretKey(webhook.secret), message.id, Math.floor(now / 1_000), body);

    const result = await options.send({ url: webhook.url, headers, body, timeoutMs: webhook.timeoutMs });
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

function toAttempt(at: number, result: AttemptResult): Attempt {
  return {
    at: new Date(at).toISOString(),
    statusCode: result.statusCode ?? null,
    error: result.error ?? null,
    durationMs: Math.round(result.durationMs),
  };
}

function dead(attempt: Attempt): Error {
  const error = new UnrecoverableError(JSON.stringify(attempt));
  error.stack = error.message;
  return error;
}
