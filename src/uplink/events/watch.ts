/** Watches the endpoints: wires their health to the events about it. */
import type { WebhookRegistry } from "../../webhooks/registry.ts";
import type { Webhook } from "../../webhooks/webhook.ts";
import type { BreakerPolicy, Notice } from "../health/circuit-breaker.ts";
import { EndpointHealth } from "../health/endpoint-health.ts";
import type { EndpointRecords } from "../health/health-records.ts";
import type { Attempt, DeliveredMessage } from "../queue/job.ts";
import { type AnnouncerOptions, createAnnouncer, type DeadLetter, isOperational } from "./announcer.ts";
import { DeadLetterThrottle } from "./dead-letter-throttle.ts";

export interface WatchOptions {
  registry: WebhookRegistry;
  endpoints: EndpointRecords;
  breaker: BreakerPolicy;
  addJobs: AnnouncerOptions["addJobs"];
  /** Publishes an event of the bridge itself, by a path that survives an outage of the broker. */
  publishEvent: AnnouncerOptions["publish"];
  eventSource: string;
  observe: WatchObserver;
}

export interface WatchObserver {
  /** Called when this instance changed the health of an endpoint. */
  transition(webhookId: string, notice: Notice): void;
  announced: AnnouncerOptions["onAnnounced"];
  /** Called when a dead letter gets no event of its own. */
  suppressed(): void;
  partFailed(part: "health" | "events", error: Error): void;
}

export function createWatch(options: WatchOptions) {
  const { registry, observe } = options;
  const announcer = createAnnouncer({
    webhooks: () => registry.all(),
    addJobs: options.addJobs,
    publish: options.publishEvent,
    source: options.eventSource,
    onAnnounced: observe.announced,
  });

  const health = new EndpointHealth({
    records: options.endpoints,
    policy: options.breaker,
    now: Date.now,
    webhook: (id) => registry.get(id),
    disable: (id, { at, reason }) => disableWebhook(registry, id, { at: new Date(at).toISOString(), reason }),
    announce: async (id, notice) => {
      const webhook = registry.get(id);
      if (webhook) await announcer.transition(webhook, notice);
    },
    onTransition: observe.transition,
    onError: (error) => observe.partFailed("health", error),
  });

  const deadLetters = new DeadLetterThrottle<Omit<DeadLetter, "suppressed">>({
    tell: async (id, letter, suppressed) => {
      const webhook = registry.get(id);
      if (webhook) await announcer.deadLetter(webhook, { ...letter, suppressed }, health.failingSince(id));
    },
    onSuppressed: observe.suppressed,
    onError: (error) => observe.partFailed("events", error),
  });

  return {
    health,

    async deadLetter({ id }: Webhook, message: DeliveredMessage, attempts: number, last: Attempt): Promise<void> {
      if (!isOperational(message)) await deadLetters.add(id, { message, attempts, lastAttempt: last });
    },

    /** Called when the registration of a webhook was added, changed or removed. */
    changed(webhookId: string): void {
      health.changed(webhookId);
      if (!registry.get(webhookId)) deadLetters.forget(webhookId);
    },

    async stop(): Promise<void> {
      health.stop();
      await deadLetters.stop();
    },
  };
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
