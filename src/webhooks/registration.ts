/** Builds the record of a new registration and of a changed one, or refuses it. */
import { Refused, refuseFields } from "../errors.ts";
import type { Caller } from "../keys/caller.ts";
import { newId } from "../message.ts";
import { checkEvents, checkTopics, isPause, isVisible, noWebhook } from "./access.ts";
import { trustErrors } from "./auth-rules.ts";
import { unmaskHeaders } from "./header-masking.ts";
import { checkCredentials } from "./origin-change.ts";
import { checkType, checkTypeChange } from "./pull-rules.ts";
import { checkReplyTopic } from "./reply-topic.ts";
import { checkCombination, checkPurpose, checkWebhook, type WebhookRules } from "./rules.ts";
import { pendingCheck } from "./verification.ts";
import { DEFAULTS, isPull, normalised, type Webhook, type WebhookInput, type WebhookPatch } from "./webhook.ts";

export interface PatchOptions {
  caller: Caller;
  /** DNS name of the bridge in ownership checks. */
  origin: string;
}

export interface RegistrationOptions extends PatchOptions {
  rules: WebhookRules;
  newSecret(): string;
}

/** Builds a webhook as it would be registered. */
export async function createRegistration(
  input: WebhookInput,
  { caller, rules, newSecret, origin }: RegistrationOptions,
): Promise<Webhook | Refused> {
  const refused =
    checkTopics(caller, input.topics) ??
    checkEvents(caller, input.events) ??
    checkPurpose(input) ??
    checkType(input) ??
    checkCombination(input) ??
    checkReplyTopic(input, caller) ??
    (await checkWebhook(input, rules));
  if (refused) return refused;
  const headers = unmaskHeaders(input.headers ?? {}, {});
  if (headers instanceof Refused) return headers;
  const now = new Date();
  const webhook: Webhook = {
    ...DEFAULTS,
    retry: { scheduleSeconds: [...DEFAULTS.retry.scheduleSeconds] },
    ...normalised(input),
    id: newId("wh"),
    ...(isPull(input) && { type: "pull" as const }),
    url: input.url ?? "",
    topics: [...new Set(input.topics)],
    secret: input.secret ?? newSecret(),
    headers,
    ...(input.verify && { verification: pendingCheck(origin, now) }),
    ...(input.retained === "deliver" && { snapshot: "pending" as const }),
    createdAt: now.toISOString(),
    updatedAt: now.toISOString(),
  };
  return refuseFields(trustErrors(webhook)) ?? webhook;
}

/** Applies the changes of a caller; the fields have been checked by themselves. */
export function patchRegistration(
  current: Webhook,
  input: WebhookPatch,
  { caller, origin }: PatchOptions,
): Webhook | Refused {
  // Checked again: another caller may have added topics that this one may not read.
  if (!isVisible(current, caller)) return noWebhook(current.id);
  const mistyped = checkTypeChange(current, input);
  if (mistyped) return mistyped;
  const headers = input.headers ? unmaskHeaders(input.headers, current.headers) : current.headers;
  if (headers instanceof Refused) return headers;
  const now = new Date();
  const changed = { ...current, ...normalised(input), headers, updatedAt: now.toISOString() };
  if (input.enabled === true) delete changed.disabled;
  if (input.secret !== undefined) delete changed.oldSecret;
  if (input.verify === false) delete changed.verification;
  // The consent was given for the previous URL.
  const isMoved = changed.url !== current.url && changed.verification !== undefined;
  if (input.verify || isMoved) changed.verification = pendingCheck(origin, now);
  for (const [field, value] of Object.entries(input)) if (value === null) delete changed[field as "filter"];
  const refused =
    checkPurpose(changed) ??
    refuseFields(trustErrors(changed)) ??
    checkCredentials(current, input) ??
    checkCombination(changed) ??
    // Any change may affect the published replies, so it requires the same rights as the registration.
    (isPause(input) ? undefined : checkReplyTopic(changed, caller));
  return refused ?? changed;
}
