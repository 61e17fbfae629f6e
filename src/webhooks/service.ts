/** What the API does with webhooks: create, list, read, change, remove, and what became of their deliveries. */
import { type Caller, requireRead } from "../caller.ts";
import { afterOf, type Page as ListPage, pageOf } from "../cursor.ts";
import { Problem } from "../errors.ts";
import { newId } from "../message.ts";
import type { WebhookRegistry } from "./registry.ts";
import { checkReplyTopic } from "./reply-topic.ts";
import { checkWebhook, requirePurpose, type WebhookRules } from "./rules.ts";
import {
  type AuthInput,
  DEFAULTS,
  MAX_WEBHOOKS,
  type Webhook,
  type WebhookInput,
  type WebhookPatch,
} from "./webhook.ts";

export interface Counts {
  pending: number;
  active: number;
  retrying: number;
  succeeded: number;
  failed: number;
  /** Dropped unsent since the registration: too old, or too many. */
  discarded: number;
}

/** What the delivery side tells and does. */
export interface Deliveries<Page, Query> {
  count(webhookId: string): Promise<Counts>;
  list(webhookId: string, query: Query): Promise<Page>;
  /** Drops everything that waits. */
  drop(webhookId: string): Promise<void>;
  /** Whether the last calls failed, as this instance saw them. */
  isFailing(webhookId: string): boolean;
}

export type WebhookState = "active" | "paused" | "disabled" | "failing";

/** As it is shown: without secrets. */
export type WebhookView = Omit<Webhook, "v" | "secret" | "oldSecret" | "verification" | "auth" | "snapshot"> &
  Required<Pick<Webhook, "retained" | "ordering" | "events">> & {
    state: WebhookState;
    counts: Counts;
    /** Since when every attempt has failed, while the state is `failing`. */
    failingSince: string | null;
    auth?: ShownAuth;
    verification?: { state: "pending" | "verified"; at: string };
    oldSecretUntil?: string;
    secret?: string;
  };

type ShownAuth = Omit<AuthInput, "password" | "token" | "clientSecret" | "key">;

export interface WebhookServiceOptions<Page, Query> {
  registry: WebhookRegistry;
  rules: WebhookRules;
  newSecret(): string;
  deliveries: Deliveries<Page, Query>;
  /** Resolves once the broker subscribes us to what the webhooks want; false when that takes too long. */
  untilInStep(timeoutMs: number): Promise<boolean>;
}

/** An answer waits so long for the broker, so that what is sent after it arrives; in vain while the broker is away. */
const IN_STEP_MS = 2_000;

const NO_COUNTS: Counts = { pending: 0, active: 0, retrying: 0, succeeded: 0, failed: 0, discarded: 0 };

export class WebhookService<Page, Query> {
  constructor(private readonly options: WebhookServiceOptions<Page, Query>) {}

  /** The only answer, with that to rotate-secret, that holds the secret. @throws Problem */
  async create(input: WebhookInput, caller: Caller): Promise<WebhookView> {
    const { registry, rules, newSecret } = this.options;
    requireTopics(caller, input.topics);
    requirePurpose(input);
    checkReplyTopic(input, caller);
    if (registry.size >= MAX_WEBHOOKS) throw new Problem("too_many_webhooks", `there may be ${MAX_WEBHOOKS} webhooks`);
    await checkWebhook(input, rules);
    const now = new Date().toISOString();
    const webhook: Webhook = {
      ...DEFAULTS,
      retry: { scheduleSeconds: [...DEFAULTS.retry.scheduleSeconds] },
      ...normalised(input),
      v: 1,
      id: newId("wh"),
      url: input.url,
      topics: [...new Set(input.topics)],
      secret: input.secret ?? newSecret(),
      ...(input.retained === "deliver" && { snapshot: "pending" as const }),
      createdAt: now,
      updatedAt: now,
    };
    await registry.create(webhook.id, webhook);
    await this.options.untilInStep(IN_STEP_MS);
    return { ...this.#view(webhook, NO_COUNTS), secret: webhook.secret };
  }

  /** Those that the caller may see, in the order of their ids. */
  async list({ limit, after }: { limit: number; after?: string }, caller: Caller): Promise<ListPage<WebhookView>> {
    const found: Webhook[] = [];
    let from = afterOf(after, "wh");
    // What may not be seen makes no page shorter.
    for (;;) {
      const more = await this.options.registry.list({ limit: limit + 1, ...from });
      found.push(...more.filter((webhook) => isVisible(webhook, caller)));
      if (found.length > limit || more.length <= limit) break;
      from = { after: more.at(-1)!.id };
    }
    const { items, nextCursor } = pageOf(found, limit);
    return { items: await Promise.all(items.map((webhook) => this.#withCounts(webhook))), nextCursor };
  }

  async get(id: string, caller: Caller): Promise<WebhookView> {
    return this.#withCounts(await this.#read(id, caller));
  }

  /** Changes the fields that are there; `enabled: true` also brings a disabled webhook back. @throws Problem */
  async update(id: string, input: WebhookPatch, caller: Caller): Promise<WebhookView> {
    await this.#read(id, caller);
    requireTopics(caller, input.topics ?? []);
    await checkWebhook(input, this.options.rules);
    const changes = normalised(input);
    const webhook = await this.options.registry.update(id, (current) => {
      // Again: another caller may have given it topics that this one may not read.
      if (!isVisible(current, caller)) throw notFound(id);
      const changed = { ...current, ...changes, updatedAt: new Date().toISOString() };
      if (input.enabled === true) delete changed.disabled;
      for (const [field, value] of Object.entries(input)) if (value === null) delete changed[field as "filter"];
      requirePurpose(changed);
      if (input.topics || input.replyTopic) checkReplyTopic(changed, caller);
      return changed;
    });
    if (input.topics || input.qos !== undefined) await this.options.untilInStep(IN_STEP_MS);
    return this.#withCounts(webhook);
  }

  async remove(id: string, caller: Caller): Promise<void> {
    await this.#read(id, caller);
    await this.options.registry.remove(id);
    await this.options.deliveries.drop(id);
  }

  async listDeliveries(id: string, query: Query, caller: Caller): Promise<Page> {
    await this.#read(id, caller);
    return this.options.deliveries.list(id, query);
  }

  /** @throws Problem not_found, also where the caller may not know that it is there */
  async #read(id: string, caller: Caller): Promise<Webhook> {
    const webhook = await this.options.registry.read(id);
    if (!isVisible(webhook, caller)) throw notFound(id);
    return webhook;
  }

  async #withCounts(webhook: Webhook): Promise<WebhookView> {
    return this.#view(webhook, await this.options.deliveries.count(webhook.id));
  }

  #view(webhook: Webhook, counts: Counts): WebhookView {
    const { v: _v, secret: _secret, oldSecret, verification, auth, snapshot: _snapshot, ...shown } = webhook;
    const { id, disabled, enabled, retained = "skip", ordering = "none", events = [] } = webhook;
    const failing = this.options.deliveries.isFailing(id);
    const paused = !enabled || verification?.state === "pending";
    return {
      ...shown,
      retained,
      ordering,
      events,
      ...(auth && { auth: shownAuth(auth) }),
      ...(verification && { verification: { state: verification.state, at: verification.at } }),
      ...(oldSecret && { oldSecretUntil: oldSecret.until }),
      state: disabled ? "disabled" : paused ? "paused" : failing ? "failing" : "active",
      failingSince: null,
      counts,
    };
  }
}

function shownAuth(auth: AuthInput): ShownAuth {
  const { password: _password, token: _token, clientSecret: _clientSecret, key: _key, ...shown } = auth;
  return shown;
}

/** Without fields that are not there or taken away, and with filters once each. */
function normalised({ verify: _verify, ...input }: WebhookPatch): Partial<Webhook> {
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value != null));
  return input.topics ? { ...given, topics: [...new Set(input.topics)] } : given;
}

function isVisible(webhook: Webhook, caller: Caller): boolean {
  return webhook.topics.every((filter) => caller.mayRead(filter));
}

function requireTopics(caller: Caller, topics: string[]): void {
  for (const [i, filter] of topics.entries()) requireRead(caller, filter, `topics[${i}]`);
}

/** In the words of the registry, so that nobody can tell a webhook that is hidden from one that is not there. */
function notFound(id: string): Problem {
  return new Problem("not_found", `there is no webhook ${id}`);
}
