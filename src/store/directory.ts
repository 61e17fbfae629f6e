import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Creates a directory and its missing parents with mode 0700. Does not use the `recursive` option of `mkdir`, which
 * never returns when the parent exists but accepts no entries, as under `/proc`.
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
    // A read-only file system returns EROFS even for an existing directory.
    if ((await stat(path).catch(() => undefined))?.isDirectory()) return;
    throw code === "EEXIST" ? new Error("it is not a directory", { cause: error }) : error;
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}
