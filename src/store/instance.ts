import { randomUUID } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { Database } from "../bullmq-sqlite/index.ts";
import { createDirectory } from "./directory.ts";

export interface Instance {
  /** Unique among all instances of the store while this process runs. */
  name: string;
  /** Releases the name at process exit. Never rejects. */
  release(): Promise<void>;
}

/**
 * Names this process among the instances of a store. After a crash, a process restarted on the same data directory gets
 * its previous name, and with it at once the leases of that name: the kernel drops the lock on the directory when a
 * process dies, so acquiring the lock proves that the previous process is dead. A process that cannot lock or write the
 * directory gets a new name. The name includes the host because some file systems enforce locks per machine only.
 */
export async function claimInstance(dataDir: string): Promise<Instance> {
  const named = (id: string) => `${hostname()}-${id}`;
  let lock: Database | undefined;
  try {
    await createDirectory(dataDir);
    lock = Database.lock(join(dataDir, "instance-lock"));
    const held = lock;
    const id = await keptId(join(dataDir, "instance-id"));
    return { name: named(id), release: async () => held.close() };
  } catch {
    lock?.close();
    return { name: named(newId()), release: async () => {} };
  }
}

/** Reads the id, or creates it. */
async function keptId(file: string): Promise<string> {
  const known = await readFile(file, "utf8").catch(() => "");
  if (VALID.test(known.trim())) return known.trim();
  const id = newId();
  const draft = `${file}.new`;
  await writeFile(draft, `${id}\n`, { mode: 0o600, flush: true });
  await rename(draft, file);
  return id;
}

const VALID = /^[0-9a-f]{8}$/;
const newId = () => randomUUID().slice(0, 8);
