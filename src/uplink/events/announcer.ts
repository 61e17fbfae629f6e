/** Announces the bridge's own events: delivers them to webhooks that request them, and publishes them at the broker. */
import { newId } from "../../message.ts";
import { isTemplate } from "../../webhooks/url-template.ts";
import type { Webhook, WebhookEvent } from "../../webhooks/webhook.ts";
import type { Notice } from "../health/circuit-breaker.ts";
import { type AttemptEntry, type DeliveredMessage, type DeliveryJob, toJobData } from "../queue/job.ts";
import { eventJson } from "../request/cloudevent.ts";

/** Topic prefix of the events: `causeway/events/<type>/<webhook id>`. */
export const EVENTS_TOPIC = "causeway/events";

/** `data` of an event about a webhook. Times are RFC 3339. */
export interface EventData {
  webhookId: string;
  name: string | null;
  /** Without the query, which may hold a token. */
  url: string;
  state: "failing" | "active" | "disabled";
  failingSince: string | null;
  reason: string;
}

/** `data` of `delivery.failed`, which also describes the delivery. */
export interface DeadLetterData extends EventData {
  messageId: string;
  topic: string;
  attempts: number;
  lastAttempt: AttemptEntry;
  /** Further dead letters of this webhook since its previous event, without an event of their own. */
  suppressed: number;
}

/** A message to publish unchanged, by a path that survives an outage of the broker. */
export interface EventMessage {
  id: string;
  topic: string;
  payload: Buffer;
  qos: 1;
  retain: false;
  contentType: "application/cloudevents+json";
}

export interface AnnouncerOptions {
  webhooks(): Iterable<Webhook>;
  /** Adds jobs to the queue of a webhook; a job whose id exists already changes nothing. */
  addJobs(webhookId: string, jobs: { id: string; data: DeliveryJob }[]): Promise<void>;
  publish(message: EventMessage): Promise<unknown>;
  /** CloudEvents `source`. */
  source: string;
  onAnnounced(type: WebhookEvent, webhookIds: string[]): void;
}

export function createAnnouncer({ webhooks, addJobs, publish, source, onAnnounced }: AnnouncerOptions) {
  /** Rejects when the event is not durable everywhere; the caller may then announce it again with the same id. */
  async function announce(id: string, type: WebhookEvent, at: number, data: EventData): Promise<void> {
    const payload = Buffer.from(JSON.stringify(data));
    const contentType = "application/json";
    const message: DeliveredMessage = {
      ...{ id, type, topic: data.webhookId, payload, contentType, receivedAt: at },
      ...{ qos: 1, retain: false },
    };
    const event = eventJson(message, { source, type });
    const wanting = [...webhooks()].filter(({ events }) => events?.includes(type)).map((webhook) => webhook.id);
    await Promise.all([
      ...wanting.map((webhookId) => addJobs(webhookId, [{ id, data: toJobData(message) }])),
      publish({
        ...{ id, topic: `${EVENTS_TOPIC}/${type}/${data.webhookId}`, payload: event },
        ...{ qos: 1, retain: false, contentType: "application/cloudevents+json" },
      }),
    ]);
    onAnnounced(type, wanting);
  }

  return {
    /** Announces a transition of a webhook's health. */
    transition(webhook: Webhook, { id, type, at, reason, failingSince }: Notice): Promise<void> {
      const state = type === "webhook.failing" ? "failing" : type === "webhook.disabled" ? "disabled" : "active";
      return announce(id, type, at, dataOf(webhook, { state, failingSince, reason }));
    },

    /** Announces a dead letter. */
    deadLetter(webhook: Webhook, letter: DeadLetter, failingSince: number | undefined): Promise<void> {
      const { message, attempts, lastAttempt, suppressed } = letter;
      const { id: messageId, topic } = message;
      const state = failingSince === undefined ? "active" : "failing";
      const data: DeadLetterData = {
        ...dataOf(webhook, { state, failingSince, reason: "the last attempt failed" }),
        ...{ messageId, topic, attempts, lastAttempt, suppressed },
      };
      return announce(newId("msg"), "delivery.failed", Date.now(), data);
    },
  };
}

export interface DeadLetter {
  message: DeliveredMessage;
  attempts: number;
  lastAttempt: AttemptEntry;
  suppressed: number;
}

/** Checks for an event of the bridge itself. An event about its failed delivery would be the next to fail. */
export function isOperational({ type, topic }: Pick<DeliveredMessage, "type" | "topic">): boolean {
  return type !== undefined || topic.startsWith(`${EVENTS_TOPIC}/`);
}

function dataOf(
  { id, name, url }: Webhook,
  known: { state: EventData["state"]; failingSince: number | undefined; reason: string },
): EventData {
  const { state, failingSince, reason } = known;
  const since = failingSince === undefined ? null : new Date(failingSince).toISOString();
  return { webhookId: id, name: name ?? null, url: withoutQuery(url), state, failingSince: since, reason };
}

function withoutQuery(text: string): string {
  // A pull webhook has none.
  if (text === "") return text;
  // The parser would encode the braces of a template.
  if (isTemplate(text)) return text.split("?")[0]!;
  const { origin, pathname } = new URL(text);
  return origin + pathname;
}
