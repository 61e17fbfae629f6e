/** Webhook operations of the API: create, list, get, update, replace, remove, and list deliveries. */

import { Refused, refuseField } from "../errors.ts";
import type { Caller } from "../keys/caller.ts";
import { afterOf, type Page as ListPage, pageOfWanted } from "../lib/cursor.ts";
import { checkEvents, checkTopics, checkUse, isVisible, noWebhook, seesAll, taken, visibleIds } from "./access.ts";
import { listFilter, type WebhookFilters } from "./list-filter.ts";
import { checkType } from "./pull-rules.ts";
import { createRegistration, patchRegistration } from "./registration.ts";
import { replacementOf } from "./replacement.ts";
import { GRACE_SECONDS, rotated } from "./rotation.ts";
import { checkWebhook } from "./rules.ts";
import type { WebhookServiceOptions } from "./service-options.ts";
import { agreed, type Consent } from "./verification.ts";
import { MAX_WEBHOOKS, type Webhook, type WebhookInput, type WebhookPatch } from "./webhook.ts";
import { type Counts, NO_COUNTS, toDto, type WebhookDto } from "./webhook-dto.ts";

/**
 * How long a response waits for the subscriptions, so that messages published after it arrive; no effect while the
 * broker is unavailable.
 */
const SYNCHRONIZED_MS = 2_000;

export class WebhookService<Page, Query> {
  constructor(private readonly options: WebhookServiceOptions<Page, Query>) {}

  /** Creates a webhook. Only this response and that of rotate-secret contain the secret. */
  async create(input: WebhookInput, caller: Caller): Promise<WebhookDto | Refused> {
    const { registry } = this.options;
    if (registry.size >= MAX_WEBHOOKS)
      return new Refused("too_many_webhooks", `the limit of ${MAX_WEBHOOKS} webhooks is reached`);
    const draft = await this.draft(input, caller);
    if (draft instanceof Refused) return draft;
    const webhook = await this.options.externalIds.create(draft);
    if (!webhook) return taken(input.externalId!);
    // The webhook is registered: a failure to store the consent must not lose its secret.
    const asked = this.#ask(webhook).catch(() => undefined);
    const [created] = await Promise.all([asked, this.options.untilSynchronized(SYNCHRONIZED_MS)]);
    return { ...this.#toDto(created ?? webhook, NO_COUNTS), secret: webhook.secret };
  }

  /** Builds a webhook as it would be registered, without storing it. */
  draft(input: WebhookInput, caller: Caller): Promise<Webhook | Refused> {
    const { rules, newSecret, owner } = this.options;
    return createRegistration(input, { caller, rules, newSecret, origin: owner.origin });
  }

  /** Lists the webhooks that the caller may see and that pass the filters, ordered by id. */
  async list(
    { limit, after, externalId, ...filters }: { limit: number; after?: string; externalId?: string } & WebhookFilters,
    caller: Caller,
  ): Promise<ListPage<WebhookDto> | Refused> {
    const { registry, health } = this.options;
    const from = afterOf(after, "wh");
    if (from instanceof Refused) return from;
    const isWanted = listFilter(filters, (id) => health.failingSince(id));
    if (isWanted instanceof Refused) return isWanted;
    const isListed = (webhook: Webhook) => isVisible(webhook, caller) && isWanted(webhook);
    if (externalId !== undefined) return this.#listNamed(externalId, isListed);
    const read = (range: { limit: number; after?: string }) => registry.list(range);
    const { items, nextCursor } = await pageOfWanted(read, isListed, { limit, ...from });
    return { items: await Promise.all(items.map((webhook) => this.#withCounts(webhook))), nextCursor };
  }

  async #listNamed(externalId: string, isListed: (webhook: Webhook) => boolean): Promise<ListPage<WebhookDto>> {
    const webhook = await this.options.externalIds.find(externalId);
    return { items: webhook && isListed(webhook) ? [await this.#withCounts(webhook)] : [], nextCursor: null };
  }

  async get(id: string, caller: Caller): Promise<WebhookDto | Refused> {
    return this.#withCounts(await this.readable(id, caller));
  }

  /** Creates the webhook with this external id, or replaces all its settings. */
  async put(
    externalId: string,
    input: WebhookInput,
    caller: Caller,
  ): Promise<{ created: boolean; registered: WebhookDto } | Refused> {
    if ((input.externalId ?? externalId) !== externalId) {
      return refuseField("invalid_request", "externalId", "must be the external id in the path");
    }
    const mistyped = checkType(input);
    if (mistyped) return mistyped;
    return this.options.externalIds.put(externalId, {
      create: () => this.create({ ...input, externalId }, caller),
      replace: async (current) =>
        isVisible(current, caller)
          ? this.#patch(current.id, input, caller, (latest) => replacementOf(latest, input))
          : taken(externalId),
    });
  }

  /** Changes the given fields; `enabled: true` also re-enables a disabled webhook. */
  update(id: string, input: WebhookPatch, caller: Caller): Promise<WebhookDto | Refused> {
    return this.#patch(id, input, caller, () => input);
  }

  /** @param patchOf the changes to the current registration, made from the checked input */
  async #patch(
    id: string,
    input: WebhookPatch,
    caller: Caller,
    patchOf: (current: Webhook) => WebhookPatch,
  ): Promise<WebhookDto | Refused> {
    const { owner, rules, untilSynchronized } = this.options;
    const before = await this.readable(id, caller);
    if (before instanceof Refused) return before;
    const refused =
      checkTopics(caller, input.topics ?? []) ??
      checkEvents(caller, input.events) ??
      (await checkWebhook(input, rules));
    if (refused) return refused;
    let patch = input;
    const webhook = await this.#change(id, (current) => {
      patch = patchOf(current);
      return patchRegistration(current, patch, { caller, origin: owner.origin });
    });
    if (webhook instanceof Refused) return webhook;
    if (patch.enabled === true || webhook.url !== before.url) await this.#callAgain(id);
    const asked = input.verify || input.url !== undefined ? await this.#ask(webhook) : webhook;
    if (input.topics || input.qos !== undefined) await untilSynchronized(SYNCHRONIZED_MS);
    return asked ? this.#withCounts(asked) : noWebhook(id);
  }

  /** Sets a new signing secret and returns it; the old one also signs during the grace period. */
  async rotateSecret(
    id: string,
    input: { secret?: string; graceSeconds?: number },
    caller: Caller,
  ): Promise<(WebhookDto & { secret: string }) | Refused> {
    const { secret = this.options.newSecret(), graceSeconds = GRACE_SECONDS } = input;
    const readable = await this.readable(id, caller);
    if (readable instanceof Refused) return readable;
    const refused = await checkWebhook({ secret }, this.options.rules);
    if (refused) return refused;
    const webhook = await this.#withCounts(
      await this.#change(
        id,
        (current) => checkUse(current, caller) ?? rotated(current, { secret, graceSeconds }, Date.now()),
      ),
    );
    return webhook instanceof Refused ? webhook : { ...webhook, secret };
  }

  /**
   * Records the receiver's consent through the callback URL, with its allowed rate. Refuses an unknown webhook or
   * token.
   */
  async confirm(id: string, token: string, consent: Consent): Promise<{ state: "verified" } | Refused> {
    const webhook = await this.#change(id, (current) => agreed(current, token, consent, new Date()) ?? noWebhook(id));
    return webhook instanceof Refused ? webhook : { state: "verified" };
  }

  /** Asks the receiver of a webhook whose check is pending. @returns the webhook after that; undefined if it is gone */
  async #ask(webhook: Webhook): Promise<Webhook | undefined> {
    const { state, token = "" } = webhook.verification ?? {};
    if (state !== "pending") return webhook;
    const consent = await this.options.owner.ask(webhook);
    if (!consent) return webhook;
    return this.options.registry.update(webhook.id, (current) => agreed(current, token, consent, new Date()));
  }

  async #change(id: string, change: (current: Webhook) => Webhook | Refused): Promise<Webhook | Refused> {
    let refused: Refused | undefined;
    const webhook = await this.options.registry.update(id, (current) => {
      const changed = change(current);
      refused = changed instanceof Refused ? changed : undefined;
      return changed instanceof Refused ? undefined : changed;
    });
    return refused ?? webhook ?? noWebhook(id);
  }

  async remove(id: string, caller: Caller): Promise<Refused | undefined> {
    const webhook = await this.readable(id, caller);
    if (webhook instanceof Refused) return webhook;
    if (!(await this.options.externalIds.remove(id, webhook.externalId))) return noWebhook(id);
    await this.options.deliveries.drop(id);
    return undefined;
  }

  /** Queues a test event, whatever the webhook's topics. @returns its id */
  async test(id: string, caller: Caller): Promise<{ messageId: string } | Refused> {
    const webhook = await this.usable(id, caller);
    if (webhook instanceof Refused) return webhook;
    return { messageId: await this.options.tests.send(id) };
  }

  async listDeliveries(id: string, query: Query, caller: Caller): Promise<Page | Refused> {
    const webhook = await this.readable(id, caller);
    return webhook instanceof Refused ? webhook : this.options.deliveries.list(id, query);
  }

  /** Returns the ids of all webhooks that the caller may see. */
  visible(caller: Caller): string[] {
    return visibleIds(this.options.registry.all(), caller);
  }

  /** Whether the caller may know about all messages and webhooks together. */
  seesAll(caller: Caller): boolean {
    return seesAll(this.options.registry.all(), caller);
  }

  /** Returns the registration, including its secrets; refused also if the caller may not see it. */
  async readable(id: string, caller: Caller): Promise<Webhook | Refused> {
    const webhook = await this.options.registry.read(id);
    return webhook && isVisible(webhook, caller) ? webhook : noWebhook(id);
  }

  /** Returns the registration to a caller that may have its receiver called and may publish the replies. */
  async usable(id: string, caller: Caller): Promise<Webhook | Refused> {
    const webhook = await this.options.registry.read(id);
    return webhook ? (checkUse(webhook, caller) ?? webhook) : noWebhook(id);
  }

  /** Ends every pause of the endpoint: a new URL or a re-enabled webhook is called at once. */
  async #callAgain(id: string): Promise<void> {
    await this.options.health.reset(id);
    await this.options.deliveries.resume(id);
  }

  async #withCounts(webhook: Webhook): Promise<WebhookDto>;
  async #withCounts(webhook: Webhook | Refused): Promise<WebhookDto | Refused>;
  async #withCounts(webhook: Webhook | Refused): Promise<WebhookDto | Refused> {
    if (webhook instanceof Refused) return webhook;
    return this.#toDto(webhook, await this.options.deliveries.count(webhook.id));
  }

  #toDto(webhook: Webhook, counts: Counts): WebhookDto {
    const { health, refused } = this.options;
    const failing = { since: health.failingSince(webhook.id), nextProbeAt: health.nextProbeAt(webhook.id) };
    return toDto(webhook, counts, failing, refused(), Date.now());
  }
}
