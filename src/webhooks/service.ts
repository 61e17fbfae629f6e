/** What the API does with webhooks: create, list, read, change, remove, and what became of their deliveries. */

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
import {
  DEFAULT_BATCH_WAIT_MS,
  DEFAULTS,
  MAX_WEBHOOKS,
  type Webhook,
  type WebhookInput,
  type WebhookPatch,
} from "./webhook.ts";
import { type Counts, NO_COUNTS, toDto, type WebhookDto } from "./webhook-dto.ts";

/** What the delivery side tells and does. */
export interface Deliveries<Page, Query> {
  count(webhookId: string): Promise<Counts>;
  list(webhookId: string, query: Query): Promise<Page>;
  /** Queues a test event and answers its id. */
  sendTest(webhookId: string): Promise<string>;
  /** Drops everything that waits. */
  drop(webhookId: string): Promise<void>;
  /** Since when every attempt has failed, in milliseconds; undefined when the endpoint is not failing. */
  failingSince(webhookId: string): number | undefined;
  /** Forgets what was held against the endpoint: it is called at once. */
  resetHealth(webhookId: string): Promise<void>;
}

export interface WebhookServiceOptions<Page, Query> {
  registry: WebhookRegistry;
  rules: WebhookRules;
  newSecret(): string;
  /** The ownership check. */
  owner: {
    /** Who asks, as a DNS name. */
    origin: string;
    /** Asks the receiver; undefined when it did not agree (yet). Never rejects. */
    ask(webhook: Webhook): Promise<Consent | undefined>;
  };
  deliveries: Deliveries<Page, Query>;
  /** Resolves once the broker subscribes us to what the webhooks want; false when that takes too long. */
  untilInStep(timeoutMs: number): Promise<boolean>;
  /** Why the broker does not subscribe us, by filter. */
  refused(): ReadonlyMap<string, string>;
}

/** An answer waits so long for the broker, so that what is sent after it arrives; in vain while the broker is away. */
const IN_STEP_MS = 2_000;

/** How long the old secret signs as well, unless the caller says otherwise. */
const GRACE_SECONDS = 86_400;

export class WebhookService<Page, Query> {
  constructor(private readonly options: WebhookServiceOptions<Page, Query>) {}

  /** The only answer, with that to rotate-secret, that holds the secret. @throws Problem */
  async create(input: WebhookInput, caller: Caller): Promise<WebhookDto> {
    const { registry } = this.options;
    if (registry.size >= MAX_WEBHOOKS) throw new Problem("too_many_webhooks", `there may be ${MAX_WEBHOOKS} webhooks`);
    const webhook = await this.draft(input, caller);
    await registry.create(webhook.id, webhook);
    // It is registered: its secret must not be lost because a consent could not be written down.
    const asked = this.#ask(webhook).catch(() => webhook);
    const [created] = await Promise.all([asked, this.options.untilInStep(IN_STEP_MS)]);
    return { ...this.#view(created, NO_COUNTS), secret: webhook.secret };
  }

  /** A webhook as it would be registered, not stored. @throws Problem */
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

  /** Those that the caller may see, in the order of their ids. */
  async list({ limit, after }: { limit: number; after?: string }, caller: Caller): Promise<ListPage<WebhookDto>> {
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

  async get(id: string, caller: Caller): Promise<WebhookDto> {
    return this.#withCounts(await this.readable(id, caller));
  }

  /** Changes the fields that are there; `enabled: true` also brings a disabled webhook back. @throws Problem */
  async update(id: string, input: WebhookPatch, caller: Caller): Promise<WebhookDto> {
    const before = await this.readable(id, caller);
    requireTopics(caller, input.topics ?? []);
    requireEvents(caller, input.events);
    await checkWebhook(input, this.options.rules);
    const changes = normalised(input);
    let webhook = await this.options.registry.update(id, (current) => {
      // Again: another caller may have given it topics that this one may not read.
      if (!isVisible(current, caller)) throw notFound(id);
      const changed = { ...current, ...changes, updatedAt: new Date().toISOString() };
      if (input.enabled === true) delete changed.disabled;
      if (input.headers) changed.headers = unmaskHeaders(input.headers, current.headers);
      if (input.secret !== undefined) delete changed.oldSecret;
      if (input.verify === false) delete changed.verification;
      // Whoever has agreed was asked about the URL that was.
      const isMoved = changed.url !== current.url && changed.verification !== undefined;
      if (input.verify || isMoved) changed.verification = pendingCheck(this.options.owner.origin, new Date());
      for (const [field, value] of Object.entries(input)) if (value === null) delete changed[field as "filter"];
      requirePurpose(changed);
      requireTrustFits(changed);
      requireCredentials(current, input);
      requireCombination(changed);
      // Any change may decide what is published as a reply, so it takes the same rights as the registration.
      if (!isPause(input)) checkReplyTopic(changed, caller);
      return changed;
    });
    if (input.enabled === true || webhook.url !== before.url) await this.options.deliveries.resetHealth(id);
    if (input.verify || input.url !== undefined) webhook = await this.#ask(webhook);
    if (input.topics || input.qos !== undefined) await this.options.untilInStep(IN_STEP_MS);
    return this.#withCounts(webhook);
  }

  /** A new signing secret, shown in this answer; the old one signs as well for the grace. @throws Problem */
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
   * The receiver agrees through its callback URL, with the rate that it takes.
   * @throws Problem not_found, whether the webhook or the token is not there
   */
  async confirm(id: string, token: string, consent: Consent): Promise<{ state: "verified" }> {
    await this.options.registry.update(id, (current) => {
      const changed = agreed(current, token, consent, new Date());
      if (!changed) throw notFound(id);
      return changed;
    });
    return { state: "verified" };
  }

  /** Asks the receiver of a webhook whose check is pending. @returns it as it is then */
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

  /** Queues an event of the bridge itself, whatever the webhook's topics. @returns its id */
  async test(id: string, caller: Caller): Promise<{ messageId: string }> {
    await this.usable(id, caller);
    return { messageId: await this.options.deliveries.sendTest(id) };
  }

  async listDeliveries(id: string, query: Query, caller: Caller): Promise<Page> {
    await this.readable(id, caller);
    return this.options.deliveries.list(id, query);
  }

  /** As it is registered, with its secrets. @throws Problem not_found, also where the caller may not see it */
  async readable(id: string, caller: Caller): Promise<Webhook> {
    const webhook = await this.options.registry.read(id);
    if (!isVisible(webhook, caller)) throw notFound(id);
    return webhook;
  }

  /**
   * Likewise, for a caller that has its receiver called.
   * @throws Problem not_found, forbidden_topic where the caller may not publish the replies
   */
  async usable(id: string, caller: Caller): Promise<Webhook> {
    const webhook = await this.options.registry.read(id);
    requireUse(webhook, caller);
    return webhook;
  }

  async #withCounts(webhook: Webhook): Promise<WebhookDto> {
    return this.#view(webhook, await this.options.deliveries.count(webhook.id));
  }

  #view(webhook: Webhook, counts: Counts): WebhookDto {
    const { deliveries, refused } = this.options;
    return toDto(webhook, counts, deliveries.failingSince(webhook.id), refused(), Date.now());
  }
}

/** Without fields that are not there or taken away, and with filters once each. */
function normalised({ verify: _verify, ...input }: WebhookPatch): Partial<Webhook> {
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value != null));
  return {
    ...given,
    ...(input.topics && { topics: [...new Set(input.topics)] }),
    ...(input.batch && { batch: { maxWaitMs: DEFAULT_BATCH_WAIT_MS, ...input.batch } }),
  };
}
