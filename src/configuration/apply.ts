/** Carries out differences through the API. */
import type { Causeway, Key, KeyInput, Webhook, WebhookInput, WebhookPatch } from "../client/index.ts";
import type { Current, Difference } from "./changes.ts";
import { DocumentError } from "./documents.ts";

/** @param hasKeys whether keys are needed, for which the scope `admin` is */
export async function readCurrent(causeway: Causeway, hasKeys: boolean): Promise<Current> {
  const [webhooks, keys]: [Webhook[], Key[]] = [[], []];
  for await (const webhook of causeway.webhooks.list({ limit: 250 })) webhooks.push(webhook);
  if (hasKeys) for await (const key of causeway.keys.list({ limit: 250 })) keys.push(key);
  return { webhooks, keys };
}

/**
 * @returns the response of the API
 * @throws DocumentError for a webhook that must exist
 */
export async function carryOut(causeway: Causeway, { kind, action, id, input }: Difference): Promise<object> {
  if (action === "delete") {
    await causeway.webhooks.delete(id!);
    return { id };
  }
  if (action === "update") return causeway.webhooks.update(id!, input as WebhookPatch);
  if (kind === "Key") return causeway.keys.create(input as KeyInput);
  const { externalId, id: foreign, ...webhook } = input;
  if (externalId === undefined)
    throw new DocumentError(`there is no webhook ${foreign}; a new one needs an externalId`);
  return causeway.webhooks.put(externalId as string, webhook as WebhookInput);
}
