import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
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
  // Created with mode 0700 because the embedded store may use it next, and before ClassicLevel, which opens on its own.
  const made = await createDirectory(dataDir).then(
    () => true,
    () => false,
  );
  if (!made) return { name: named(newId()), release: async () => {} };
  const level = new ClassicLevel(join(dataDir, "instance"));
  try {
    await level.open();
    const known = await level.get("id");
    const id = known ?? newId();
    if (known === undefined) await level.put("id", id, { sync: true });
    return { name: named(id), release: () => level.close().catch(() => undefined) };
  } catch {
    await level.close().catch(() => undefined);
    return { name: named(newId()), release: async () => {} };
  }
}

const newId = () => randomUUID().slice(0, 8);
