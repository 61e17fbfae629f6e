/** Records in the store whose secrets are in one encrypted text, and whose other fields are in plain text. */
import type { Records, Versioned } from "../store/store.ts";

/** Encrypts and decrypts; implemented by the key ring. */
export interface Sealer {
  /** False: there is no key, and records are stored in plain text. */
  readonly seals: boolean;
  seal(text: string, owner: string): string;
  open(sealed: string, owner: string): string;
  isCurrent(sealed: string): boolean;
}

/** The stored record; without `sealed` it is plain text. */
export type Stored<T> = Partial<T> & { sealed?: string };

/** A kind of record. */
export interface Kind<T> {
  /**
   * Noun that, with the id, the secrets are bound to: write access to the store must not allow moving credentials to
   * another record.
   */
  what: string;
  /** The fields to store in plain text. */
  openFields(value: T): Partial<T>;
}

/** Records that are plain in the process and encrypted in the store. Reading throws if no key decrypts a record. */
export function encryptedRecords<T extends object>(
  records: Records<Stored<T>>,
  sealer: Sealer,
  kind: Kind<T>,
): Records<T> {
  const open = ({ id, value, version }: Versioned<Stored<T>>) => ({
    id,
    value: unseal(id, value, sealer, kind),
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
    create: (id, value) => records.create(id, seal(id, value, sealer, kind)),
    replace: (id, value, version) => records.replace(id, seal(id, value, sealer, kind), version),
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
export async function encryptAll<T extends object>(
  records: Records<Stored<T>>,
  sealer: Sealer,
  kind: Kind<T>,
): Promise<number> {
  let written = 0;
  for (const { id, value, version } of await records.all()) {
    const plain = unseal(id, value, sealer, kind);
    const isCurrent = value.sealed === undefined ? !sealer.seals : sealer.isCurrent(value.sealed);
    if (!isCurrent && (await records.replace(id, seal(id, plain, sealer, kind), version))) written++;
  }
  return written;
}

function seal<T extends object>(id: string, value: T, sealer: Sealer, { what, openFields }: Kind<T>): Stored<T> {
  if (!sealer.seals) return value;
  const open = openFields(value);
  const secrets = Object.fromEntries(Object.entries(value).filter(([name]) => !Object.hasOwn(open, name)));
  return { ...open, sealed: sealer.seal(JSON.stringify(secrets), `${what} ${id}`) };
}

function unseal<T extends object>(id: string, stored: Stored<T>, sealer: Sealer, { what }: Kind<T>): T {
  const { sealed, ...open } = stored;
  if (sealed === undefined) return open as unknown as T;
  return { ...open, ...JSON.parse(sealer.open(sealed, `${what} ${id}`)) } as T;
}
