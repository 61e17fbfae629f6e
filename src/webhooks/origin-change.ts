/** Credentials belong to the origin for which they were set: a new origin needs them in the same call. Pure. */
import { type FieldError, type Refused, refuseFields } from "../errors.ts";
import { hasCredentials, isMask } from "./header-masking.ts";
import type { Webhook, WebhookPatch } from "./webhook.ts";

/**
 * Refuses a new origin without new credentials. Otherwise a caller could have values that the API never
 * returns sent to its own receiver. The signing secret is exempt: it signs, and is not sent.
 */
export function checkCredentials(
  current: Pick<Webhook, "url" | "auth" | "headers">,
  input: WebhookPatch,
): Refused | undefined {
  if (input.url === undefined || originOf(input.url) === originOf(current.url)) return undefined;
  const message = "must be set again or removed when the origin of url changes";
  const errors: FieldError[] = [];
  if (current.auth && input.auth === undefined) errors.push({ path: "auth", message });
  if (!input.headers && hasCredentials(current.headers)) errors.push({ path: "headers", message });
  for (const [name, value] of Object.entries(input.headers ?? {})) {
    if (isMask(name, value)) errors.push({ path: `headers.${name}`, message });
  }
  return refuseFields(errors, "credentials_required");
}

/** Scheme, host and port. */
function originOf(url: string): string {
  return new URL(url).origin;
}
