/** `PUT` of a webhook as changes to its current registration: fields that are absent get their defaults. Pure. */
import { DEFAULTS, type Webhook, type WebhookInput, type WebhookPatch } from "./webhook.ts";

/** Optional settings, removed unless they are given. */
const REMOVED = {
  ...{ name: null, retained: null, filter: null, transform: null, batch: null, ordering: null, rateLimit: null },
  ...{ payloadFormat: null, auth: null, ca: null, replyTopic: null, events: null, headers: {} },
} satisfies WebhookPatch;

/** Returns the changes. A repetition of the same call changes nothing that the bridge keeps on its own. */
export function replacementOf(current: Webhook, { externalId: _, ...input }: WebhookInput): WebhookPatch {
  const { enabled, ...defaults } = DEFAULTS;
  const patch: WebhookPatch = { ...REMOVED, ...defaults, ...input, enabled: input.enabled ?? enabled };
  // Enabling would also enable a webhook that the bridge has disabled.
  if (patch.enabled === current.enabled) delete patch.enabled;
  // Setting the secret would end the grace period of the previous one.
  if (patch.secret === current.secret) delete patch.secret;
  // The consent of the receiver holds as long as its URL is the same.
  const isAsked = input.verify === true && current.verification !== undefined && input.url === current.url;
  if (isAsked) delete patch.verify;
  else patch.verify = input.verify ?? false;
  return patch;
}
