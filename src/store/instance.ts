import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { createDirectory } from "./directory.ts";

export interface Instance {
  /** Nobody else who shares the store has it, while this process lives. */
  name: string;
  /** For the end of the process. Never rejects. */
  release(): Promise<void>;
}

/**
 * Names this process among those that share a store. One that is started again on its data directory after a crash
 * gets the name that it had, and with it at once what is leased to that name: the lock on the directory, which the
 * kernel drops when a process dies, says that its former self is dead. Whoever does not get the lock, or may not
 * write there, gets a new name. The host is a part of it for file systems whose locks end at the machine.
 */
export async function claimInstance(dataDir: string): Promise<Instance> {
  const named = (id: string) => `${hostname()}-${id}`;
  // Readable by its owner alone: the embedded store may come here next. Before the database, which opens by itself.
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
