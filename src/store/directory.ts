import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Makes a directory and those above it, for their owner alone. Not by the `recursive` option of `mkdir`, which never
 * ends where the parent exists and takes no entries, as below `/proc`.
 */
export async function createDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" && dirname(path) !== path) {
      await createDirectory(dirname(path));
      await mkdir(path, { mode: 0o700 }).catch(ignoreExisting);
      return;
    }
    // On a read-only file system the answer is EROFS, also for a directory that is there.
    if ((await stat(path).catch(() => undefined))?.isDirectory()) return;
    throw code === "EEXIST" ? new Error("it is not a directory", { cause: error }) : error;
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}
