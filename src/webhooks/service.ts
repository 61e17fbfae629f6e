/** Webhook operations of the API: create, list, get, update, remove, and list deliveries. */

import { Problem } from "../errors.ts";
import type { Caller } from "../keys/caller.ts";
import { afterOf, type Page as ListPage, pageOf } from "../lib/cursor.ts";
import { newId } from "../message.ts";
import { isPause, isVisible, notFound, requireEvents, requireTopics, requireUse } from "./access.ts";
import { requireTrustFits } from "./auth-rules.ts";
import { unmaskHeaders } from "./header-masking.ts";
import { requireCredentials } from "./origin-change.ts";
import type { WebhookRegistry } from "./registry.ts";
import { checkReplyTopic } from "./reply-topic.ts";
import { rotated } from "./rotation.ts";
import { checkWebhook, requireCombination, requirePurpose, type WebhookRules } from "./rules.ts";
import { agreed, type Consent, pendingCheck } from "./verification.ts";
import { DEFAULTS, MAX_WEBHOOKS, normalised, type Webhook, type WebhookInput, type WebhookPatch } from "./webhook.ts";
import { type Counts, NO_COUNTS, toDto, type WebhookDto } from "./webhook-dto.ts";

/** Deliveries of the webhooks. */
export interface Deliveries<Page, Query> {
  count(webhookId: string): Promise<Counts>;
  list(webhookId: string, query: Query): Promise<Page>;
  /** Drops all waiting deliveries. */
  drop(webhookId: string): Promise<void>;
  /** Ends a pause of the calls. */
  resume(webhookId: string): Promise<void>;
}

export interface WebhookServiceOptions<Page, Query> {
  registry: WebhookRegistry;
  rules: WebhookRules;
  newSecret(): string;
  /** The ownership check. */
  owner: {
    /** The DNS name under which the bridge asks. */
    origin: string;
    /** Asks the receiver; undefined if it has not agreed (yet). Never rejects. */
    ask(webhook: Webhook): Promise<Consent | undefined>;
  };
  deliveries: Deliveries<Page, Query>;
  /** Health of the endpoints. */
  health: {
    /** Time since which every attempt has failed, in milliseconds; undefined if the endpoint is not failing. */
    failingSince(webhookId: string): number | undefined;
    /** Forgets the failures. Rejects when the store is unavailable. */
    reset(webhookId: string): Promise<void>;
  };
  tests: {
    /** Queues a test event and returns its id. */
    send(webhookId: string): Promise<string>;
  };
  /** Resolves once the broker subscriptions match the webhooks; false after the timeout. */
  untilInStep(timeoutMs: number): Promise<boolean>;
  /** Filters whose subscription the broker refused, with the reason. */
  refused(): ReadonlyMap<string, string>;
}

/**
 * How long a response waits for the subscriptions, so that messages published after it arrive; no effect while the
 * broker is unavailable.
 */
const IN_STEP_MS = 2_000;

/** Default grace period in which the old secret also signs. */
const GRACE_SECONDS = 86_400;

export class WebhookService<Page, Query> {
  constructor(private readonly options: WebhookServiceOptions<Page, Query>) {}

  /** Creates a webhook. Only this response and that of rotate-secret contain the secret. @throws Problem */
  async create(input: WebhookInput, caller: Caller): Promise<WebhookDto> {
    const { registry } = this.options;
    if (registry.size >= MAX_WEBHOOKS) throw new Problem("too_many_webhooks", `there may be ${MAX_WEBHOOKS} webhooks`);
    const webhook = await this.draft(input, caller);
    await registry.create(webhook.id, webhook);
    // The webhook is registered: a failure to store the consent must not lose its secret.
    const asked = this.#ask(webhook).catch(() => webhook);
    const [created] = await Promise.all([asked, this.options.untilInStep(IN_STEP_MS)]);
    return { ...this.#view(created, NO_COUNTS), secret: webhook.secret };
  }

  /** Builds a webhook as it would be registered, without storing it. @throws Problem */
  async draft(input: WebhookInput, caller: Caller): Promise<Webhook> {
    const { rules, newSecret } = this.options;
    requireTopics(caller, input.topics);
    requireEvents(caller, input.events);
    requirePurpose(input);
    requireCombination(input);
    checkReplyTopic(input, caller);
    await checkWebhook(input, rules);
    const now = new Date().toISOString();
    const webhook: Webhook = {
      ...DEFAULTS,
      retry: { scheduleSeconds: [...DEFAULTS.retry.scheduleSeconds] },
      ...normalised(input),
      id: newId("wh"),
      url: input.url,
      topics: [...new Set(input.topics)],
      secret: input.secret ?? newSecret(),
      headers: unmaskHeaders(input.headers ?? {}, {}),
      ...(input.verify && { verification: pendingCheck(this.options.owner.origin, new Date(now)) }),
      ...(input.retained === "deliver" && { snapshot: "pending" as const }),
      createdAt: now,
      updatedAt: now,
    };
    requireTrustFits(webhook);
    return webhook;
  }

  /** Lists the webhooks that the caller may see, ordered by id. */
  async list({ limit, after }: { limit: number; after?: string }, caller: Caller): Promise<ListPage<WebhookDto>> {
    const found: Webhook[] = [];
    let from = afterOf(after, "wh");
    // Hidden webhooks do not shorten a page.
    for (;;) {
      const more = await this.options.registry.list({ limit: limit + 1, ...from });
      found.push(...more.filter((webhook) => isVisible(webhook, caller)));
      if (found.length > limit || more.length <= limit) break;
      from = { after: more.at(-1)!.id };
    }
    const { items, nextCursor } = pageOf(found, limit);
    return { items: await Promise.all(items.map((webhook) => this.#withCounts(webhook))), nextCursor };
  }

  async get(id: string, caller: Caller): Promise<WebhookDto> {
    return this.#withCounts(await this.readable(id, caller));
  }

  /** Changes the given fields; `enabled: true` also re-enables a disabled webhook. @throws Problem */
  async update(id: string, input: WebhookPatch, caller: Caller): Promise<WebhookDto> {
    const before = await this.readable(id, caller);
    requireTopics(caller, input.topics ?? []);
    requireEvents(caller, input.events);
    await checkWebhook(input, this.options.rules);
    const changes = normalised(input);
    let webhook = await this.options.registry.update(id, (current) => {
      // Checked again: another caller may have added topics that this one may not read.
      if (!isVisible(current, caller)) throw notFound(id);
      const changed = { ...current, ...changes, updatedAt: new Date().toISOString() };
      if (input.enabled === true) delete changed.disabled;
      if (input.headers) changed.headers = unmaskHeaders(input.headers, current.headers);
      if (input.secret !== undefined) delete changed.oldSecret;
      if (input.verify === false) delete changed.verification;
      // The consent was given for the previous URL.
      const isMoved = changed.url !== current.url && changed.verification !== undefined;
      if (input.verify || isMoved) changed.verification = pendingCheck(this.options.owner.origin, new Date());
      for (const [field, value] of Object.entries(input)) if (value === null) delete changed[field as "filter"];
      requirePurpose(changed);
      requireTrustFits(changed);
      requireCredentials(current, input);
      requireCombination(changed);
      // Any change may affect the published replies, so it requires the same rights as the registration.
      if (!isPause(input)) checkReplyTopic(changed, caller);
      return changed;
    });
    if (input.enabled === true || webhook.url !== before.url) await this.#callAgain(id);
    if (input.verify || input.url !== undefined) webhook = await this.#ask(webhook);
    if (input.topics || input.qos !== undefined) await this.options.untilInStep(IN_STEP_MS);
    return this.#withCounts(webhook);
  }

  /** Sets a new signing secret and returns it; the old one also signs during the grace period. @throws Problem */
  async rotateSecret(id: string, input: { secret?: string; graceSeconds?: number }, caller: Caller) {
    await this.readable(id, caller);
    const { secret = this.options.newSecret(), graceSeconds = GRACE_SECONDS } = input;
    await checkWebhook({ secret }, this.options.rules);
    const webhook = await this.options.registry.update(id, (current) => {
      requireUse(current, caller);
      return rotated(current, { secret, graceSeconds }, Date.now());
    });
    return { ...(await this.#withCounts(webhook)), secret };
  }

  /**
   * Records the receiver's consent through the callback URL, with its allowed rate.
   * @throws Problem not_found, for an unknown webhook or token
   */
  async confirm(id: string, token: string, consent: Consent): Promise<{ state: "verified" }> {
    await this.options.registry.update(id, (current) => {
      const changed = agreed(current, token, consent, new Date());
      if (!changed) throw notFound(id);
      return changed;
    });
    return { state: "verified" };
  }

  /** Asks the receiver of a webhook whose check is pending. @returns the webhook after that */
  async #ask(webhook: Webhook): Promise<Webhook> {
    const { state, token = "" } = webhook.verification ?? {};
    if (state !== "pending") return webhook;
    const consent = await this.options.owner.ask(webhook);
    if (!consent) return webhook;
    return this.options.registry.update(webhook.id, (current) => agreed(current, token, consent, new Date()));
  }

  async remove(id: string, caller: Caller): Promise<void> {
    await this.readable(id, caller);
    await this.options.registry.remove(id);
    await this.options.deliveries.drop(id);
  }

  /** Queues a test event, whatever the webhook's topics. @returns its id */
  async test(id: string, caller: Caller): Promise<{ messageId: string }> {
    await this.usable(id, caller);
    return { messageId: await this.options.tests.send(id) };
  }

  async listDeliveries(id: string, query: Query, caller: Caller): Promise<Page> {
    await this.readable(id, caller);
    return this.options.deliveries.list(id, query);
  }

  /** Returns the registration, including its secrets. @throws Problem not_found, also if the caller may not see it */
  async readable(id: string, caller: Caller): Promise<Webhook> {
    const webhook = await this.options.registry.read(id);
    if (!isVisible(webhook, caller)) throw notFound(id);
    return webhook;
  }

  /**
   * Returns the registration to a caller that may have its receiver called.
   * @throws Problem not_found; forbidden_topic if the caller may not publish the replies
   */
  async usable(id: string, caller: Caller): Promise<Webhook> {
    const webhook = await this.options.registry.read(id);
    requireUse(webhook, caller);
    return webhook;
  }

  /** Ends every pause of the endpoint: a new URL or a re-enabled webhook is called at once. */
  async #callAgain(id: string): Promise<void> {
    await this.options.health.reset(id);
    await this.options.deliveries.resume(id);
  }

  async #withCounts(webhook: Webhook): Promise<WebhookDto> {
    return this.#view(webhook, await this.options.deliveries.count(webhook.id));
  }

  #view(webhook: Webhook, counts: Counts): WebhookDto {
    const { health, refused } = this.options;
    return toDto(webhook, counts, health.failingSince(webhook.id), refused(), Date.now());
  }
}
