/** Records the events of both flows: one wide log line per unit of work, and metrics. */
import type { OutgoingMessage, PublishResult } from "../downlink/publish.ts";
import type { StoredPublish } from "../downlink/stored-publish.ts";
import type { Message } from "../message.ts";
import { reasonOf } from "../security/redaction.ts";
import type { AttemptResult } from "../uplink/attempt.ts";
import type { Attempted, Sending } from "../uplink/deliver/attempt.ts";
import type { NoReply } from "../uplink/deliver/reply.ts";
import type { Notice } from "../uplink/health/circuit-breaker.ts";
import type { IntakeOutcome } from "../uplink/receive/intake.ts";
import type { Webhook, WebhookEvent } from "../webhooks/webhook.ts";
import { MAX_LABELLED_WEBHOOKS, type Metrics } from "./metrics.ts";

export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Writes one line of level `info` for a unit of work. `members` is the inside of a JSON object. */
export type WideLine = (members: string, message: string) => void;

const membersOf = (fields: object) => JSON.stringify(fields).slice(1, -1);

const isOfExpression = ({ error }: AttemptResult) => error === "filter_error" || error === "transform_error";

/** Parts that retry by themselves after a failure. */
export type Part =
  | "enqueue"
  | "subscriptions"
  | "outbox"
  | "lease"
  | "retention"
  | "replays"
  | "health"
  | "events"
  | "reply"
  | "snapshot"
  | "books";

const COMPLAIN_MS = 10_000;
/** Maximum number of logged characters of a filter, which may have 65,535. */
const MAX_LOGGED = 200;

export type Observer = ReturnType<typeof createObserver>;

export function createObserver(
  { log, wide }: { log: Log; wide: WideLine },
  metrics: Metrics,
  webhooks: { readonly size: number; get(id: string): unknown },
) {
  /** Returns an empty label for a removed webhook: a call that ends later must not bring its label back. */
  const label = (id: string) => (webhooks.size <= MAX_LABELLED_WEBHOOKS && webhooks.get(id) !== undefined ? id : "");
  const complainedAt = new Map<string, number>();

  return {
    published(message: OutgoingMessage, result: PublishResult, startedAt: number): void {
      const { id, topic, qos, retain, payload } = message;
      const seconds = (performance.now() - startedAt) / 1_000;
      metrics.published.inc(result.kind);
      metrics.publishSeconds.observe(seconds);
      const ms = Math.round(seconds * 1e5) / 100;
      // Built by hand: on this path JSON.stringify would cost a tenth of the whole request.
      wide(
        `"message_id":"${id}","topic":${JSON.stringify(topic)},"qos":${qos},"retain":${retain},` +
          `"bytes":${payload.length},"outcome":"${result.kind}","duration_ms":${ms}`,
        "message_published",
      );
    },

    /** A message was stored to be published later. */
    accepted({ payload }: OutgoingMessage, { id, topic, qos, retain, outcome }: StoredPublish): void {
      metrics.accepted.inc(outcome);
      wide(membersOf({ message_id: id, topic, qos, retain, bytes: payload.length, outcome }), "message_accepted");
    },

    received(outcome: IntakeOutcome, message: Message, webhookIds: string[]): void {
      const { id, topic, qos, payload, receivedAt } = message;
      if (outcome === "other_copy") {
        metrics.otherCopies.inc();
        return;
      }
      metrics.received.inc();
      metrics.receivedBytes.inc("", payload.length);
      if (outcome === "enqueued") {
        metrics.matched.inc();
        for (const webhook of webhookIds) metrics.enqueued.inc(label(webhook));
      } else metrics.unmatched.inc(outcome);
      const [bytes, webhooks, duration_ms] = [payload.length, webhookIds.length, Date.now() - receivedAt];
      const line = { message_id: id, topic, qos, bytes, outcome, webhooks, duration_ms };
      if (outcome === "too_large") log.warn(line, "message_received");
      else wide(membersOf(line), "message_received");
    },

    attempted({ webhook, message, attempt }: Sending, { result, decision }: Attempted): void {
      const { id } = webhook;
      const delivered = decision.kind === "delivered";
      const { leads = true, ...batch } = result.batch ?? {};
      metrics.attempts.inc(decision.kind);
      if (leads) metrics.attemptSeconds.observe(result.durationMs / 1_000, label(id));
      if (delivered) {
        metrics.delivered.inc(label(id));
        metrics.deliverySeconds.observe((Date.now() - message.receivedAt) / 1_000, label(id));
      } else if (decision.kind === "dead") metrics.failed.inc(label(id));
      // The other deliveries of a successful batch are covered by the line of the first one.
      if (delivered && !leads) return;
      wide(
        membersOf({
          message_id: message.id,
          ...("id" in batch && { batch_id: batch.id, events: batch.events }),
          webhook_id: id,
          topic: message.topic,
          attempt,
          outcome: decision.kind,
          status: result.statusCode,
          error: result.error,
          // The detail of an expression error may quote the payload; it is kept in the attempt log only.
          ...(!isOfExpression(result) && { detail: result.detail }),
          duration_ms: Math.round(result.durationMs),
          ...("delayMs" in decision && { next_in_ms: decision.delayMs }),
        }),
        "delivery_attempted",
      );
    },

    /** A delivery that was not caused by a device message. */
    added(webhookId: string): void {
      metrics.enqueued.inc(label(webhookId));
    },

    filtered({ id }: Webhook, message: Message): void {
      metrics.filtered.inc(label(id));
      wide(membersOf({ message_id: message.id, webhook_id: id, topic: message.topic }), "delivery_filtered");
    },

    /** A device's response that no request waits for (any more). */
    lateAnswer({ id, topic }: Message): void {
      metrics.lateAnswers.inc();
      log.info({ message_id: id, topic }, "request_answer_late");
    },

    /** A stored filter that this version sets aside because no broker would accept it. */
    filterSetAside(webhook_id: string, filter: string, reason: string): void {
      log.warn({ webhook_id, filter: filter.slice(0, MAX_LOGGED), reason }, "filter_set_aside");
    },

    /** A stored request that is set aside: it is not published, and its response is not subscribed. */
    requestSetAside(request_id: string, reason: string): void {
      log.warn({ request_id, reason }, "request_set_aside");
    },

    /** A reply was not published, although the webhook has a `replyTopic`. */
    notReplied(webhook_id: string, message_id: string, reason: NoReply): void {
      log.info({ webhook_id, message_id, reason }, "reply_not_published");
    },

    replyFailed(error: Error): void {
      this.partFailed("reply", error);
    },

    /** The retained messages that a webhook requested once were enqueued. */
    snapshotTaken(webhook_id: string, found: { topics: number; tooLarge: number; truncated: boolean }): void {
      const { topics, tooLarge: too_large, truncated } = found;
      const level = truncated || too_large > 0 ? "warn" : "info";
      log[level]({ webhook_id, topics, too_large, truncated }, "retained_delivered");
    },

    snapshotFailed(error: Error): void {
      this.partFailed("snapshot", error);
    },

    streamDropped(): void {
      metrics.streamsDropped.inc();
      log.warn({}, "stream_dropped");
    },

    /** The health of an endpoint changed; recorded once, by the instance that detected it. */
    transition(webhookId: string, { id, type, reason, failingSince }: Notice): void {
      metrics.transitions.inc(type);
      const line = { webhook_id: webhookId, event_id: id, reason, failing_since: new Date(failingSince).toISOString() };
      if (type === "webhook.recovered") log.info(line, "webhook_recovered");
      else log.warn(line, type.replace(".", "_"));
    },

    /** An event of the bridge is durable for the webhooks that subscribe to it. */
    announced(type: WebhookEvent, webhookIds: string[]): void {
      metrics.events.inc(type);
      for (const webhook of webhookIds) metrics.enqueued.inc(label(webhook));
    },

    /** A dead letter without its own event, because there were too many. */
    suppressed(): void {
      metrics.eventsSuppressed.inc();
    },

    /** Waiting deliveries were discarded without being sent. */
    discarded(webhook: string, count: number, reason: string): void {
      metrics.discarded.inc(label(webhook), count);
      log.warn({ webhook_id: webhook, count, reason }, "deliveries_discarded");
    },

    /** A part failed and retries by itself: logged at most once per part and COMPLAIN_MS. */
    partFailed(part: Part, error: Error): void {
      if (part === "enqueue") metrics.flushFailures.inc();
      const now = Date.now();
      if (now - (complainedAt.get(part) ?? 0) < COMPLAIN_MS) return;
      complainedAt.set(part, now);
      log.warn({ part, error: reasonOf(error) }, "part_failed");
    },

    flushed(durationMs: number): void {
      metrics.enqueueSeconds.observe(durationMs / 1_000);
    },

    /** The ownership check was sent; `agreed`: the response contained the consent. */
    askedOwner({ id }: Webhook, { statusCode, error, detail, durationMs }: AttemptResult, agreed: boolean): void {
      const outcome = agreed ? "agreed" : "pending";
      log.info({ webhook_id: id, outcome, status: statusCode, error, detail, duration_ms: durationMs }, "owner_asked");
    },

    /** Removes the labels of a removed webhook; otherwise the page would grow with every webhook ever registered. */
    forget(webhookId: string): void {
      const { enqueued, delivered, filtered, failed, discarded, attemptSeconds, deliverySeconds } = metrics;
      const labelled = [enqueued, delivered, filtered, failed, discarded, attemptSeconds, deliverySeconds];
      for (const metric of labelled) metric.remove(webhookId);
    },
  };
}
