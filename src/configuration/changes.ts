/** Differences between documents and what the bridge has. Pure. */
import { isDeepStrictEqual } from "node:util";
import type { Hook, Key, Webhook } from "../client/index.ts";
import type { ConfigurationDocument, DocumentKind, Fields } from "./documents.ts";
import {
  asShown,
  comparable,
  HOOK_DEFAULTS,
  hookFields,
  isSecret,
  keyFields,
  WEBHOOK_DEFAULTS,
  webhookFields,
} from "./fields.ts";

export interface Difference {
  kind: DocumentKind;
  identity: string;
  /** `conflict`: the bridge has a key of this name with other rights, and a key cannot be changed. */
  action: "create" | "update" | "delete" | "conflict";
  /** The id of an existing webhook or hook. */
  id?: string;
  /** Fields that differ: the values at the bridge and in the document. */
  fields: Record<string, { from?: unknown; to?: unknown }>;
  /** Everything to send. */
  input: Fields;
}

export interface Current {
  webhooks: Webhook[];
  hooks: Hook[];
  keys: Key[];
}

const DEFAULTS = { Webhook: WEBHOOK_DEFAULTS, Hook: HOOK_DEFAULTS };
type RegistrationKind = keyof typeof DEFAULTS;

/** A webhook or a hook at the bridge. */
interface CurrentRegistration {
  id: string;
  externalId?: string | null | undefined;
  /** Its settings as a document has them. */
  settings: Fields;
}

/**
 * @param prune whether webhooks and hooks with an external id that no document names are deleted
 * @param setSecrets whether secrets are set although they cannot be compared
 */
export function changesOf(
  documents: readonly ConfigurationDocument[],
  current: Current,
  { prune = false, setSecrets = false }: { prune?: boolean; setSecrets?: boolean } = {},
): Difference[] {
  const changes: Difference[] = [];
  const named = new Set<string>();
  const registrations: Record<RegistrationKind, CurrentRegistration[]> = {
    Webhook: current.webhooks.map((one) => ({ ...one, settings: webhookFields(one) })),
    Hook: current.hooks.map((one) => ({ ...one, settings: hookFields(one) })),
  };
  for (const document of documents) {
    if (document.kind === "Key") {
      const key = current.keys.find(({ name }) => name === document.identity);
      const change = key ? keyConflict(document, key) : creation(document);
      if (change) changes.push(change);
      continue;
    }
    const { externalId, id } = document.fields;
    const registration = registrations[document.kind].find((one) =>
      externalId === undefined ? one.id === id : one.externalId === externalId,
    );
    if (registration) named.add(registration.id);
    const change = registration ? update(document, document.kind, registration, setSecrets) : creation(document);
    if (change) changes.push(change);
  }
  if (prune) {
    for (const kind of ["Webhook", "Hook"] as const) {
      for (const { id, externalId } of registrations[kind]) {
        if (externalId == null || named.has(id)) continue;
        changes.push({ kind, identity: externalId, action: "delete", id, fields: {}, input: {} });
      }
    }
  }
  return changes;
}

function creation({ kind, identity, fields }: ConfigurationDocument): Difference {
  return { kind, identity, action: "create", fields: {}, input: fields };
}

function update(
  { identity, fields: { externalId: _externalId, id: _id, ...wanted } }: ConfigurationDocument,
  kind: RegistrationKind,
  { id, settings: shown }: CurrentRegistration,
  setSecrets: boolean,
): Difference | undefined {
  const defaults = DEFAULTS[kind];
  const fields: Difference["fields"] = {};
  const secrets: Fields = {};
  const input: Fields = {};
  for (const name of new Set([...Object.keys(shown), ...Object.keys(wanted)])) {
    const from = shown[name] ?? defaults[name];
    const value = asShown(name, wanted[name] ?? defaults[name]);
    if (isSecret(name, from, value)) secrets[name] = value;
    const to = comparable(name, from, value);
    if (isDeepStrictEqual(from, to)) continue;
    fields[name] = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
    input[name] = value ?? (name === "verify" ? false : null);
  }
  if (setSecrets) for (const name of Object.keys(secrets)) fields[name] ??= {};
  if (Object.keys(fields).length === 0) return undefined;
  return { kind, identity, action: "update", id, fields, input: { ...secrets, ...input } };
}

function keyConflict({ identity, fields }: ConfigurationDocument, key: Key): Difference | undefined {
  const now = keyFields(key);
  const differing: Difference["fields"] = {};
  for (const name of new Set([...Object.keys(now), ...Object.keys(fields)])) {
    const [from, to] = [now[name], asShown(name, fields[name])];
    if (!isDeepStrictEqual(from, to)) differing[name] = { from, to };
  }
  if (Object.keys(differing).length === 0) return undefined;
  return { kind: "Key", identity, action: "conflict", fields: differing, input: {} };
}
