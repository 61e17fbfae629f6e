/**
 * Identity of a store: tells it from a different store, above all from an empty one in its place. The identity is
 * random, created once, and kept in the store next to its format and in `DATA_DIR/store-id`. A store that lost its data
 * has lost its identity too and is refused, instead of passing for a store without webhooks.
 */
import { randomUUID } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CannotStartError } from "../errors.ts";
import type { Store } from "./store.ts";

/** Record that holds the identity. Bridges older than the identity ignore it. */
export const IDENTITY = { collection: "format", id: "identity" };

export interface IdentityOptions {
  dataDir: string;
  /** Location of the store for messages; without credentials. */
  place: string;
  /** Accepts the present store as the right one (STORE_RESET). */
  accept: boolean;
}

export interface EnteredIdentity {
  /** Creates a missing identity and saves it in the data directory. Call it once the store's format is accepted. */
  keep(): Promise<string>;
}

const FILE = "store-id";
const VALID = /^[0-9a-f-]{36}$/;

/**
 * Compares the store's identity with the one in the data directory and binds the store to it. Must be called before the
 * store is used. A data directory without an identity adopts the store's.
 * @throws CannotStartError when the identities differ
 */
export async function enterIdentity(
  store: Pick<Store, "records" | "bind">,
  { dataDir, place, accept }: IdentityOptions,
): Promise<EnteredIdentity> {
  const records = store.records<{ id: string }>(IDENTITY.collection);
  const read = async () => (await records.get(IDENTITY.id))?.value.id;
  const file = join(dataDir, FILE);
  const known = await readKnown(file, accept);
  const found = await read();
  if (known !== undefined && known !== found && !accept)
    throw new CannotStartError(refusal({ file, place, known, found }));
  if (found !== undefined) store.bind(found);
  return {
    async keep() {
      // Several instances may start on an empty store at the same time: the first one creates the identity for all.
      if (found === undefined) await records.create(IDENTITY.id, { id: randomUUID() });
      const identity = found ?? (await read());
      if (identity === undefined)
        throw new CannotStartError(`The store ${place} does not keep the data that is written to it.`);
      store.bind(identity);
      if (identity !== known) await write(file, identity);
      return identity;
    },
  };
}

async function readKnown(file: string, accept: boolean): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new CannotStartError(`${file} cannot be read: ${message}`, { cause: error });
  }
  const known = text.trim();
  if (VALID.test(known)) return known;
  if (accept) return undefined;
  throw new CannotStartError(
    `${file} does not hold the identity of a store. Restore it from a backup of DATA_DIR, or start once with ` +
      "STORE_RESET=accept to use the store as it is.",
  );
}

/** Writes the identity file; a read-only data directory, as in a read-only container, is left without one. */
async function write(file: string, identity: string): Promise<void> {
  try {
    // Atomic, with a file name per process.
    const draft = `${file}.${process.pid}`;
    await writeFile(draft, `${identity}\n`, { mode: 0o600, flush: true });
    await rename(draft, file);
  } catch {
    return;
  }
}

function refusal(parts: { file: string; place: string; known: string; found: string | undefined }): string {
  const { file, place, known, found } = parts;
  const has = found === undefined ? "has no identity, as an empty store has none" : `has the identity ${found}`;
  return (
    `The store ${place} ${has}, and ${file} names the store ${known}: it lost its data or is another store. ` +
    "Webhooks, keys and waiting deliveries would be missing, so it was not used. Restore the right store, or correct " +
    "STORE_URL or DATA_DIR. To go on with the store that is there, start once with STORE_RESET=accept."
  );
}
