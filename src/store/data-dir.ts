/** Checks the format of the data directory before any file in it is opened. */
import { access, constants, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CannotStartError } from "../errors.ts";
import { withDeadline } from "../lib/deadline.ts";
import { createDirectory } from "./directory.ts";
import { type BridgeFormat, checkReadable, FIRST, FORMAT, type Format, raised } from "./format.ts";

/** A local disk responds within milliseconds; an unreachable network file system never responds. */
const ANSWER_MS = 10_000;

/**
 * Checks the data directory and records its format. Must be called before anything is written. A read-only directory
 * gets no format file: with an external Redis and broker it holds no data.
 * @param needed whether this process must store data in the directory
 * @throws NewerDataError, OlderDataError; CannotStartError when the directory cannot be used or the format file is
 *   invalid
 */
export async function enterDataDir(dataDir: string, ours: BridgeFormat = FORMAT, needed = false): Promise<void> {
  const message = `DATA_DIR ${dataDir} cannot be used: the file system does not answer within ${ANSWER_MS / 1_000} s.`;
  await withDeadline(enter(dataDir, ours, needed), ANSWER_MS, () => new CannotStartError(message));
}

async function enter(dataDir: string, ours: BridgeFormat, needed: boolean): Promise<void> {
  await checkDirectory(dataDir, needed);
  const file = join(dataDir, "format");
  const found = await readFormat(file);
  checkReadable(dataDir, found, ours);
  const text = (format: Format) => `${JSON.stringify(format)}\n`;
  const next = text(raised(found ?? FIRST, ours));
  if (found && next === text(found)) return;
  try {
    await createDirectory(dataDir);
    // Atomic, with a file name per process: another process may write the file at the same time.
    const draft = `${file}.${process.pid}`;
    await writeFile(draft, next, { mode: 0o600, flush: true });
    await rename(draft, file);
  } catch {
    return;
  }
}

async function checkDirectory(dataDir: string, needed: boolean): Promise<void> {
  try {
    if (needed) {
      await createDirectory(dataDir);
      await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
    } else if ((await stat(dataDir).catch(() => undefined))?.isDirectory() === false) {
      throw new Error("it is not a directory");
    }
  } catch (error) {
    throw new CannotStartError(
      `DATA_DIR ${dataDir} cannot be used: ${(error as Error).message}. It must be a directory that this process may ` +
        "read and write, or one that it can create.",
      { cause: error },
    );
  }
}

async function readFormat(file: string): Promise<Format | undefined> {
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const found = JSON.parse(text) as Format;
    if (Number.isInteger(found.format) && Number.isInteger(found.readableFrom)) return found;
  } catch {
    // Invalid JSON: falls through to the error below.
  }
  throw new CannotStartError(`${file} does not contain a valid format number. Restore it from a backup of DATA_DIR.`);
}
