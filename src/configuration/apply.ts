/** Carries out differences through the API. */
import { type Causeway, isCausewayError, type KeyInput } from "../client/index.ts";
import type { Current, Difference } from "./changes.ts";
import { type ConfigurationDocument, DocumentError, type DocumentKind } from "./documents.ts";

/**
 * Reads the kinds that the documents have, as each needs scopes of its own. To prune, also the webhooks and hooks that
 * the key may see.
 */
export async function readCurrent(
  causeway: Causeway,
  documents: readonly ConfigurationDocument[],
  { prune = false }: { prune?: boolean } = {},
): Promise<Current> {
  const read = async <T>(kind: DocumentKind, list: () => AsyncIterable<T>): Promise<T[]> => {
    const all: T[] = [];
    const isNeeded = documents.some((document) => document.kind === kind);
    if (!isNeeded && (!prune || kind === "Key")) return all;
    try {
      for await (const one of list()) all.push(one);
    } catch (error) {
      if (isNeeded || !isCausewayError(error, "insufficient_scope")) throw error;
    }
    return all;
  };
  const page = { limit: 250 };
  return {
    webhooks: await read("Webhook", () => causeway.webhooks.list(page)),
    hooks: await read("Hook", () => causeway.hooks.list(page)),
    keys: await read("Key", () => causeway.keys.list(page)),
  };
}

/**
 * @returns the response of the API
 * @throws DocumentError for a webhook or a hook that must exist
 */
export async function carryOut(causeway: Causeway, { kind, action, id, input }: Difference): Promise<object> {
  if (kind === "Key") return causeway.keys.create(input as KeyInput);
  const registrations = kind === "Hook" ? causeway.hooks : causeway.webhooks;
  if (action === "delete") {
    await registrations.delete(id!);
    return { id };
  }
  if (action === "update") return registrations.update(id!, input as never);
  const { externalId, id: foreign, ...fields } = input;
  if (externalId === undefined) {
    throw new DocumentError(`there is no ${kind.toLowerCase()} ${foreign}; a new one needs an externalId`);
  }
  return registrations.put(externalId as string, fields as never);
}
