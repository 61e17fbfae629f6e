/** Webhook records as they lie in the store: what is secret in them in one encrypted text, the rest as it is. */
import type { Records, Versioned } from "../store/store.ts";
import { openFields, type SecretField, type Webhook } from "./webhook.ts";

/** Encrypts and decrypts; the key ring. */
export interface Sealer {
  /** False: there is no key, and records are kept plain. */
  readonly seals: boolean;
  seal(text: string, owner: string): string;
  open(sealed: string, owner: string): string;
  isCurrent(sealed: string): boolean;
}

/** Signing secrets, the receiver's credentials, header values (any of which may be one) and the callback's token. */
type Secrets = Pick<Webhook, SecretField>;

/** In the store; a record without `sealed` is plain. */
export type StoredWebhook = Omit<Webhook, keyof Secrets> & Partial<Secrets> & { sealed?: string };

/** Records that are plain in the process and sealed in the store. Reading throws where no key opens a record. */
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
    remove: (id) => records.remove(id),
    watch: (listener) => records.watch(listener),
  };
}

/**
 * Seals every record that is still plain, or sealed with a key that has been replaced, so that the old key can be
 * taken away. What somebody else changes meanwhile is sealed by that.
 * @returns how many were written
 * @throws what the sealer does when no key opens a record
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
  return { ...stored, ...(JSON.parse(sealer.open(sealed, ownerOf(id))) as Secrets) };
}

/** Bound to the id: nobody who can write to the store may give one webhook the credentials of another. */
function ownerOf(id: string): string {
  return `webhook ${id}`;
}
