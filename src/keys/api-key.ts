/** The first API key, which has all rights: configured, or generated once and stored in the data directory. */
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CannotStartError } from "../errors.ts";

export interface ApiKey {
  key: string;
  /** File that stores the key; absent for a configured key. */
  file?: string;
  /** Whether the key has just been generated. */
  isNew: boolean;
}

export async function resolveApiKey(configured: string | undefined, dataDir: string): Promise<ApiKey> {
  if (configured) return { key: configured, isNew: false };
  const file = join(dataDir, "api-key");
  const kept = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw new CannotStartError(`The API key in ${file} cannot be read: ${error.message}`);
    return "";
  });
  if (kept.trim()) return { key: kept.trim(), file, isNew: false };
  const key = `cw_${randomBytes(32).toString("base64url")}`;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await writeFile(file, `${key}\n`, { mode: 0o600 });
  return { key, file, isNew: true };
}
