import { ClassicLevel } from "classic-level";
import { StoreConfigError } from "../store.ts";

/**
 * Locks the data directory for this process. PGlite has no lock of its own, and two processes corrupt a shared
 * directory. LevelDB uses an fcntl lock, which the kernel drops whenever the process dies, so a `kill -9` leaves no
 * stale lock file to remove by hand.
 */
export async function lockDirectory(lockPath: string, dataDir: string): Promise<() => Promise<void>> {
  const level = new ClassicLevel(lockPath);
  try {
    await level.open();
  } catch (err) {
    if (codes(err).includes("LEVEL_LOCKED")) {
      throw new StoreConfigError(
        `The data directory ${dataDir} is in use by another process. Stop that one, give this one a directory of its ` +
          "own (DATA_DIR), or share a Redis (STORE_URL).",
      );
    }
    throw new StoreConfigError(`The data directory ${dataDir} cannot be used: ${reason(err)}`, { cause: err });
  }
  return () => level.close();
}

/** Returns the codes of an error and of its causes. */
function codes(err: unknown): string[] {
  if (!(err instanceof Error)) return [];
  const { code } = err as { code?: unknown };
  return [...(typeof code === "string" ? [code] : []), ...codes(err.cause)];
}

function reason(err: unknown): string {
  if (!(err instanceof Error)) return String(err);
  return err.cause instanceof Error ? err.cause.message : err.message;
}
