/** The parts that the webhook service calls. */
import type { ExternalIds } from "../store/external-ids.ts";
import type { WebhookRegistry } from "./registry.ts";
import type { WebhookRules } from "./rules.ts";
import type { Consent } from "./verification.ts";
import type { Webhook } from "./webhook.ts";
import type { Counts } from "./webhook-dto.ts";

/** Deliveries of the webhooks. */
export interface WebhookDeliveries<Page, Query> {
  count(webhookId: string): Promise<Counts>;
  list(webhookId: string, query: Query): Promise<Page>;
  /** Drops all waiting deliveries. */
  drop(webhookId: string): Promise<void>;
  /** Ends a pause of the calls. */
  resume(webhookId: string): Promise<void>;
}

export interface WebhookServiceOptions<Page, Query> {
  registry: WebhookRegistry;
  externalIds: Pick<ExternalIds<Webhook>, "find" | "create" | "put" | "remove">;
  rules: WebhookRules;
  newSecret(): string;
  /** The ownership check. */
  owner: {
    /** The DNS name under which the bridge asks. */
    origin: string;
    /** Asks the receiver; undefined if it has not agreed (yet). Never rejects. */
    ask(webhook: Webhook): Promise<Consent | undefined>;
  };
  deliveries: WebhookDeliveries<Page, Query>;
  /** Health of the endpoints. */
  health: {
    /** Time since which every attempt has failed, in milliseconds; undefined if the endpoint is not failing. */
    failingSince(webhookId: string): number | undefined;
    /** Time from which a failing endpoint is called again, in milliseconds; undefined if it is not failing. */
    nextProbeAt(webhookId: string): number | undefined;
    /** Forgets the failures. Rejects when the store is unavailable. */
    reset(webhookId: string): Promise<void>;
  };
  tests: {
    /** Queues a test event and returns its id. */
    send(webhookId: string): Promise<string>;
  };
  /** Resolves once the broker subscriptions match the webhooks; false after the timeout. */
  untilSynchronized(timeoutMs: number): Promise<boolean>;
  /** Filters whose subscription the broker refused, with the reason. */
  refused(): ReadonlyMap<string, string>;
}
