/**
 * Tells a store from any other one, above all from an empty one in its place. The identity is random, made once, and
 * kept in the store beside its format and in `DATA_DIR/store-id`: a store that lost its data has lost its identity too,
 * and is refused instead of being taken for one that never had any webhooks.
 */
import { randomUUID } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CannotStartError } from "../errors.ts";
import type { Store } from "./store.ts";

/** The record that holds it. Bridges from before there was an identity overlook it. */
export const IDENTITY = { collection: "format", id: "identity" };

export interface IdentityOptions {
  dataDir: string;
  /** Where the store is, for people; without credentials. */
  place: string;
  /** Takes the store that is there for the right one (STORE_RESET). */
  accept: boolean;
}

export interface EnteredIdentity {
  /** To be called once the store's format is accepted: makes the identity if there is none, and remembers it. */
  keep(): Promise<string>;
}

const FILE = "store-id";
const VALID = /^[0-9a-f-]{36}$/;

/**
 * To be called before the store is used: compares its identity with the one that the data directory names, and binds
 * the store to it. A data directory that names none takes over the identity that is there.
 * @throws CannotStartError when they differ
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
      // Several instances may start on an empty store at the same time: the first one makes it for all.
      if (found === undefined) await records.create(IDENTITY.id, { id: randomUUID() });
      const identity = found ?? (await read());
      if (identity === undefined) throw new CannotStartError(`The store ${place} does not keep what is written there.`);
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

/** Where nothing can be written, as in a read-only container, nothing is remembered. */
async function write(file: string, identity: string): Promise<void> {
  try {
    // A name of its own for each process, and all of the file or nothing.
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
