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
import type { SeriesSink } from "./series/recorder.ts";

export interface ObserverLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Writes one line of level `info` for a unit of work. `members` is the inside of a JSON object. */
export type WideLine = (members: string, message: string) => void;

const membersOf = (fields: object) => JSON.stringify(fields).slice(1, -1);

const isOfExpression = ({ error }: AttemptResult) => error === "filter_error" || error === "transform_error";

/** Parts that retry by themselves after a failure. */
type Storing = "enqueue" | "outbox" | "lease" | "retention" | "replays" | "health" | "books" | "series";
export type FailingPart = Storing | "subscriptions" | "events" | "reply" | "snapshot";

const COMPLAIN_MS = 10_000;
/** Maximum number of logged characters of a filter, which may have 65,535. */
const MAX_LOGGED = 200;

/** The parts take single functions of it, so all are bound. */
export class Observer {
  readonly #complainedAt = new Map<string, number>();

  constructor(
    private readonly sinks: { log: ObserverLog; wide: WideLine },
    private readonly metrics: Metrics,
    private readonly webhooks: { readonly size: number; get(id: string): unknown },
    private readonly series: SeriesSink,
  ) {}

  readonly published = (message: OutgoingMessage, result: PublishResult, startedAt: number): void => {
    const { id, topic, qos, retain, payload } = message;
    const seconds = (performance.now() - startedAt) / 1_000;
    this.metrics.published.inc(result.kind);
    this.metrics.publishSeconds.observe(seconds);
    this.series.published(result.kind);
    const ms = Math.round(seconds * 1e5) / 100;
    // Built by hand: on this path JSON.stringify would cost a tenth of the whole request.
    this.sinks.wide(
      `"message_id":"${id}","topic":${JSON.stringify(topic)},"qos":${qos},"retain":${retain},` +
        `"bytes":${payload.length},"outcome":"${result.kind}","duration_ms":${ms}`,
      "message_published",
    );
  };

  /** A message was stored to be published later. */
  readonly accepted = ({ payload }: OutgoingMessage, { id, topic, qos, retain, outcome }: StoredPublish): void => {
    this.metrics.accepted.inc(outcome);
    this.sinks.wide(
      membersOf({ message_id: id, topic, qos, retain, bytes: payload.length, outcome }),
      "message_accepted",
    );
  };

  readonly received = (outcome: IntakeOutcome, message: Message, webhookIds: string[]): void => {
    const { id, topic, qos, payload, receivedAt } = message;
    if (outcome === "other_copy") {
      this.metrics.otherCopies.inc();
      return;
    }
    this.metrics.received.inc();
    this.series.received();
    this.metrics.receivedBytes.inc("", payload.length);
    if (outcome === "enqueued") {
      this.metrics.matched.inc();
      for (const webhook of webhookIds) this.#enqueued(webhook);
    } else this.metrics.unmatched.inc(outcome);
    const [bytes, webhooks, duration_ms] = [payload.length, webhookIds.length, Date.now() - receivedAt];
    const line = { message_id: id, topic, qos, bytes, outcome, webhooks, duration_ms };
    if (outcome === "too_large") this.sinks.log.warn(line, "message_received");
    else this.sinks.wide(membersOf(line), "message_received");
  };

  readonly attempted = (
    { webhook, message, attempt }: Pick<Sending, "webhook" | "message" | "attempt">,
    { result, decision }: Attempted,
  ): void => {
    const { id } = webhook;
    const delivered = decision.kind === "delivered";
    const { leads = true, ...batch } = result.batch ?? {};
    this.metrics.attempts.inc(decision.kind);
    this.series.attempted(id, decision.kind, leads ? result.durationMs : undefined);
    if (leads) this.metrics.attemptSeconds.observe(result.durationMs / 1_000, this.#label(id));
    if (delivered) {
      this.metrics.delivered.inc(this.#label(id));
      this.metrics.deliverySeconds.observe((Date.now() - message.receivedAt) / 1_000, this.#label(id));
    } else if (decision.kind === "dead") this.metrics.failed.inc(this.#label(id));
    // The other deliveries of a successful batch are covered by the line of the first one.
    if (delivered && !leads) return;
    this.sinks.wide(
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
  };

  /** A delivery that was not caused by a device message. */
  readonly added = (webhookId: string): void => {
    this.#enqueued(webhookId);
  };

  readonly filtered = ({ id }: Webhook, message: Message): void => {
    this.metrics.filtered.inc(this.#label(id));
    this.series.filtered(id);
    this.sinks.wide(membersOf({ message_id: message.id, webhook_id: id, topic: message.topic }), "delivery_filtered");
  };

  /** A device's response that no request waits for (any more). */
  readonly lateAnswer = ({ id, topic }: Message): void => {
    this.metrics.lateAnswers.inc();
    this.sinks.log.info({ message_id: id, topic }, "request_answer_late");
  };

  /** A stored filter that this version sets aside because no broker would accept it. */
  readonly filterSetAside = (webhook_id: string, filter: string, reason: string): void => {
    this.sinks.log.warn({ webhook_id, filter: filter.slice(0, MAX_LOGGED), reason }, "filter_set_aside");
  };

  /** A stored request that is set aside: it is not published, and its response is not subscribed. */
  readonly requestSetAside = (request_id: string, reason: string): void => {
    this.sinks.log.warn({ request_id, reason }, "request_set_aside");
  };

  /** A reply was not published, although the webhook has a `replyTopic`. */
  readonly notReplied = (webhook_id: string, message_id: string, reason: NoReply): void => {
    this.sinks.log.info({ webhook_id, message_id, reason }, "reply_not_published");
  };

  readonly replyFailed = (error: Error): void => {
    this.partFailed("reply", error);
  };

  /** The retained messages that a webhook requested once were enqueued. */
  readonly snapshotTaken = (
    webhook_id: string,
    found: { topics: number; tooLarge: number; truncated: boolean },
  ): void => {
    const { topics, tooLarge: too_large, truncated } = found;
    const level = truncated || too_large > 0 ? "warn" : "info";
    this.sinks.log[level]({ webhook_id, topics, too_large, truncated }, "retained_delivered");
  };

  readonly snapshotFailed = (error: Error): void => {
    this.partFailed("snapshot", error);
  };

  readonly streamDropped = (): void => {
    this.metrics.streamsDropped.inc();
    this.sinks.log.warn({}, "stream_dropped");
  };

  /** The health of an endpoint changed; recorded once, by the instance that detected it. */
  readonly transition = (webhookId: string, { id, type, reason, failingSince }: Notice): void => {
    this.metrics.transitions.inc(type);
    const line = { webhook_id: webhookId, event_id: id, reason, failing_since: new Date(failingSince).toISOString() };
    if (type === "webhook.recovered") this.sinks.log.info(line, "webhook_recovered");
    else this.sinks.log.warn(line, type.replace(".", "_"));
  };

  /** An event of the bridge is durable for the webhooks that subscribe to it. */
  readonly announced = (type: WebhookEvent, webhookIds: string[]): void => {
    this.metrics.events.inc(type);
    for (const webhook of webhookIds) this.#enqueued(webhook);
  };

  /** A dead letter without its own event, because there were too many. */
  readonly suppressed = (): void => {
    this.metrics.eventsSuppressed.inc();
  };

  /** Waiting deliveries were discarded without being sent. */
  readonly discarded = (webhook: string, count: number, reason: string): void => {
    this.metrics.discarded.inc(this.#label(webhook), count);
    this.sinks.log.warn({ webhook_id: webhook, count, reason }, "deliveries_discarded");
  };

  /** A part failed and retries by itself: logged at most once per part and COMPLAIN_MS. */
  readonly partFailed = (part: FailingPart, error: Error): void => {
    if (part === "enqueue") this.metrics.flushFailures.inc();
    const now = Date.now();
    if (now - (this.#complainedAt.get(part) ?? 0) < COMPLAIN_MS) return;
    this.#complainedAt.set(part, now);
    this.sinks.log.warn({ part, error: reasonOf(error) }, "part_failed");
  };

  readonly flushed = (durationMs: number): void => {
    this.metrics.enqueueSeconds.observe(durationMs / 1_000);
  };

  /** The ownership check was sent; `agreed`: the response contained the consent. */
  readonly askedOwner = (
    { id }: Webhook,
    { statusCode, error, detail, durationMs }: AttemptResult,
    agreed: boolean,
  ): void => {
    const outcome = agreed ? "agreed" : "pending";
    this.sinks.log.info(
      { webhook_id: id, outcome, status: statusCode, error, detail, duration_ms: durationMs },
      "owner_asked",
    );
  };

  /** Removes the labels of a removed webhook; otherwise the page would grow with every webhook ever registered. */
  readonly forget = (webhookId: string): void => {
    const { enqueued, delivered, filtered, failed, discarded, attemptSeconds, deliverySeconds } = this.metrics;
    const labelled = [enqueued, delivered, filtered, failed, discarded, attemptSeconds, deliverySeconds];
    for (const metric of labelled) metric.remove(webhookId);
    this.series.forget(webhookId);
  };

  #enqueued(webhookId: string): void {
    this.metrics.enqueued.inc(this.#label(webhookId));
    this.series.enqueued(webhookId);
  }

  /** Returns an empty label for a removed webhook: a call that ends later must not bring its label back. */
  #label(id: string): string {
    return this.webhooks.size <= MAX_LABELLED_WEBHOOKS && this.webhooks.get(id) !== undefined ? id : "";
  }
}
