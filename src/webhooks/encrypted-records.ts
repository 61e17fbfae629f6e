/** Webhook records in the store: all secrets in one encrypted text, the other fields in plain text. */
import type { Records, Versioned } from "../store/store.ts";
import { openFields, type SecretField, type Webhook } from "./webhook.ts";

/** Encrypts and decrypts; implemented by the key ring. */
export interface Sealer {
  /** False: there is no key, and records are stored in plain text. */
  readonly seals: boolean;
  seal(text: string, owner: string): string;
  open(sealed: string, owner: string): string;
  isCurrent(sealed: string): boolean;
}

/**
 * Signing secrets, the receiver's credentials, header values (any of them may be a secret) and the callback's token.
 */
type WebhookSecrets = Pick<Webhook, SecretField>;

/** The stored record; without `sealed` it is plain text. */
export type StoredWebhook = Omit<Webhook, keyof WebhookSecrets> & Partial<WebhookSecrets> & { sealed?: string };

/** Records that are plain in the process and encrypted in the store. Reading throws if no key decrypts a record. */
export function encryptedRecords(records: Records<StoredWebhook>, sealer: Sealer): Records<Webhook> {
  const open = ({ id, value, version }: Versioned<StoredWebhook>) => ({
    id,
    value: unseal(id, value, sealer),
    version,
  });
  return {
    async get(id) {
      const found = await records.get(id);
      return found && open(found);
    },
    list: async (page) => (await records.list(page)).map(open),
    all: async () => (await records.all()).map(open),
    count: () => records.count(),
    create: (id, value) => records.create(id, seal(id, value, sealer)),
    replace: (id, value, version) => records.replace(id, seal(id, value, sealer), version),
    remove: (id, version) => records.remove(id, version),
    watch: (listener) => records.watch(listener),
  };
}

/**
 * Encrypts every record that is still plain, or encrypted with a replaced key, so that the old key can be removed. A
 * record that another process changes meanwhile is encrypted by that change.
 * @returns number of records written
 * @throws the sealer's error if no key decrypts a record
 */
export async function encryptAll(records: Records<StoredWebhook>, sealer: Sealer): Promise<number> {
  let written = 0;
  for (const { id, value, version } of await records.all()) {
    const plain = unseal(id, value, sealer);
    const isCurrent = value.sealed === undefined ? !sealer.seals : sealer.isCurrent(value.sealed);
    if (!isCurrent && (await records.replace(id, seal(id, plain, sealer), version))) written++;
  }
  return written;
}

function seal(id: string, webhook: Webhook, sealer: Sealer): StoredWebhook {
  if (!sealer.seals) return webhook;
  const open = openFields(webhook);
  const secrets = Object.fromEntries(Object.entries(webhook).filter(([name]) => !Object.hasOwn(open, name)));
  return { ...open, sealed: sealer.seal(JSON.stringify(secrets), ownerOf(id)) };
}

function unseal(id: string, { sealed, ...stored }: StoredWebhook, sealer: Sealer): Webhook {
  if (sealed === undefined) return stored as Webhook;
  return { ...stored, ...(JSON.parse(sealer.open(sealed, ownerOf(id))) as WebhookSecrets) };
}

/** Binds the secrets to the id: write access to the store must not allow moving credentials to another webhook. */
function ownerOf(id: string): string {
  return `webhook ${id}`;
}
