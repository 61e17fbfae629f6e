/** The format of what lies in the data directory, looked at before anything in it is opened. */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CannotStartError } from "./errors.ts";
import { FIRST, FORMAT, type Format, isTooNew, NewerDataError, raised } from "./store/format.ts";

/**
 * To be called before anything is written. A directory that cannot be written to is not marked: with a Redis and a
 * broker elsewhere nothing lies there.
 * @throws NewerDataError, and CannotStartError when the file holds something else
 */
export async function enterDataDir(dataDir: string, ours: Format = FORMAT): Promise<void> {
  const file = join(dataDir, "format");
  const found = await readFormat(file);
  if (found && isTooNew(found, ours)) throw new NewerDataError(dataDir, found, ours);
  const text = (format: Format) => `${JSON.stringify(format)}\n`;
  const next = text(raised(found ?? FIRST, ours));
  if (found && next === text(found)) return;
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    // All of it or nothing, and a name of one's own: another process may be doing the same.
    const draft = `${file}.${process.pid}`;
    await writeFile(draft, next, { mode: 0o600, flush: true });
    await rename(draft, file);
  } catch {
    return;
  }
}

async function readFormat(file: string): Promise<Format | undefined> {
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const found = JSON.parse(text) as Format;
    if (Number.isInteger(found.format) && Number.isInteger(found.readableFrom)) return found;
  } catch {
    // As below.
  }
  throw new CannotStartError(`${file} does not say which format the data has. Restore it from a backup of DATA_DIR.`);
}
