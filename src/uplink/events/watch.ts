/** Watches the endpoints: their health, and the events about it and about dead letters. */
import type { WebhookRegistry } from "../../webhooks/registry.ts";
import type { Webhook } from "../../webhooks/webhook.ts";
import type { BreakerPolicy, Notice } from "../health/circuit-breaker.ts";
import { EndpointHealth } from "../health/endpoint-health.ts";
import type { EndpointRecords } from "../health/health-records.ts";
import type { AttemptEntry, DeliveredMessage, DeliveryJob } from "../queue/job.ts";
import {
  type AnnouncerOptions,
  createAnnouncer,
  type DeadLetter,
  type EventMessage,
  isOperational,
} from "./announcer.ts";
import { DeadLetterThrottle } from "./dead-letter-throttle.ts";

export interface EndpointWatchOptions {
  webhooks: WebhookRegistry;
  endpoints: EndpointRecords;
  breaker: BreakerPolicy;
  /** Queues of the webhooks that want events. */
  queues: { add(webhookId: string, jobs: { id: string; data: DeliveryJob }[]): Promise<void> };
  /** Publishes events, by a path that survives an outage of the broker. */
  outbox: { accept(event: EventMessage): Promise<unknown> };
  eventSource: string;
  observe: {
    /** Called when this instance changed the health of an endpoint. */
    transition(webhookId: string, notice: Notice): void;
    announced: AnnouncerOptions["onAnnounced"];
    /** Called when a dead letter gets no event of its own. */
    suppressed(): void;
    partFailed(part: "health" | "events", error: Error): void;
  };
}

export class EndpointWatch {
  readonly health: EndpointHealth;
  readonly #webhooks: WebhookRegistry;
  readonly #deadLetters: DeadLetterThrottle<Omit<DeadLetter, "suppressed">>;

  constructor({ webhooks, endpoints, breaker, queues, outbox, eventSource, observe }: EndpointWatchOptions) {
    this.#webhooks = webhooks;
    const announcer = createAnnouncer({
      webhooks: () => webhooks.all(),
      addJobs: (webhookId, jobs) => queues.add(webhookId, jobs),
      publish: (event) => outbox.accept(event),
      source: eventSource,
      onAnnounced: observe.announced,
    });
    this.health = new EndpointHealth({
      records: endpoints,
      policy: breaker,
      now: Date.now,
      webhook: (id) => webhooks.get(id),
      disable: (id, { at, reason }) => disableWebhook(webhooks, id, { at: new Date(at).toISOString(), reason }),
      announce: async (id, notice) => {
        const webhook = webhooks.get(id);
        if (webhook) await announcer.transition(webhook, notice);
      },
      onTransition: observe.transition,
      onError: (error) => observe.partFailed("health", error),
    });
    this.#deadLetters = new DeadLetterThrottle({
      announce: async (id, letter, suppressed) => {
        const webhook = webhooks.get(id);
        if (webhook) await announcer.deadLetter(webhook, { ...letter, suppressed }, this.health.failingSince(id));
      },
      onSuppressed: observe.suppressed,
      onError: (error) => observe.partFailed("events", error),
    });
  }

  start(): void {
    this.health.start();
  }

  /** Announces the dead letters suppressed so far. */
  async stop(): Promise<void> {
    this.health.stop();
    await this.#deadLetters.stop();
  }

  /** Announces a dead letter, unless it is an event itself. Never rejects. */
  async deadLetter(
    { id }: Webhook,
    message: DeliveredMessage,
    attempts: number,
    lastAttempt: AttemptEntry,
  ): Promise<void> {
    if (!isOperational(message)) await this.#deadLetters.add(id, { message, attempts, lastAttempt });
  }

  /** Call when the registration of a webhook was added, changed or removed. */
  changed(webhookId: string): void {
    this.health.changed(webhookId);
    if (!this.#webhooks.get(webhookId)) this.#deadLetters.forget(webhookId);
  }
}

/** @returns true if this call or an earlier attempt disabled the webhook; false if it is gone or was disabled before */
async function disableWebhook(
  registry: WebhookRegistry,
  id: string,
  disabled: { at: string; reason: string },
): Promise<boolean> {
  const webhook = await registry.update(id, (current) =>
    current.disabled ? undefined : { ...current, disabled, updatedAt: disabled.at },
  );
  return webhook?.disabled?.at === disabled.at && webhook.disabled.reason === disabled.reason;
}
