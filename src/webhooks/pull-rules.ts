/** Rules of `type`: a pull webhook has no receiver, so the settings of calls must not be given. Pure. */
import { type FieldError, type Refused, refuseField, refuseFields } from "../errors.ts";
import { DEFAULTS, isPull, type Webhook, type WebhookPatch } from "./webhook.ts";

const DEFAULT_CALL = {
  ...{ method: DEFAULTS.method, mode: DEFAULTS.mode },
  ...{ concurrency: DEFAULTS.concurrency, timeoutMs: DEFAULTS.timeoutMs },
} as const;

/** Settings of calls without a default. */
const OPTIONAL = ["url", "batch", "rateLimit", "auth", "ca", "replyTopic"] as const;

/** Refuses a webhook without a URL, or a pull webhook with settings of calls. */
export function checkType(webhook: Omit<WebhookPatch, "externalId">): Refused | undefined {
  if (!isPull(webhook)) return webhook.url ? undefined : refuseField("invalid_request", "url", "is required");
  return refuseCalls(webhook);
}

/** Refuses changes of the type, and settings of calls in changes of a pull webhook. */
export function checkTypeChange(current: Pick<Webhook, "type">, input: WebhookPatch): Refused | undefined {
  if (input.type !== undefined && isPull(input) !== isPull(current)) {
    return refuseField("invalid_request", "type", "must not be changed");
  }
  return isPull(current) ? refuseCalls(input) : undefined;
}

function refuseCalls(input: WebhookPatch): Refused | undefined {
  const message = "must not be combined with type: pull";
  const changed = Object.entries(DEFAULT_CALL).filter(
    ([field, value]) => (input[field as keyof typeof DEFAULT_CALL] ?? value) !== value,
  );
  const errors: FieldError[] = [
    ...OPTIONAL.filter((field) => input[field] != null),
    ...changed.map(([field]) => field),
    ...(Object.keys(input.headers ?? {}).length > 0 ? ["headers"] : []),
    ...(input.verify ? ["verify"] : []),
  ].map((path) => ({ path, message }));
  return refuseFields(errors);
}
