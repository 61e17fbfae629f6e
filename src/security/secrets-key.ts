/** Keys that encrypt secrets in the store: the configured ones, or a generated one stored beside the embedded store. */
import { randomBytes } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CannotStartError } from "../errors.ts";
import { KeyRing } from "./key-ring.ts";
import { hideSecrets } from "./redaction.ts";

export interface Secrets {
  ring: KeyRing;
  /** Warnings for the operator. */
  warnings: readonly string[];
}

export interface SecretsOptions {
  /** Keys in SECRETS_KEY; the first one encrypts. */
  keys: readonly string[];
  /** Directory of the embedded store, which must be open: its lock keeps other processes out. Absent for Redis. */
  embeddedIn?: string;
}

const NOT_ENCRYPTED = "SECRETS_KEY is not set: the secrets of webhooks are kept as they are";

/** @throws CannotStartError when the generated key cannot be stored or read */
export async function openSecrets({ keys, embeddedIn }: SecretsOptions): Promise<Secrets> {
  // The generated key still decrypts older secrets after SECRETS_KEY has replaced it.
  const kept = embeddedIn === undefined ? [] : await keptKey(join(embeddedIn, "secrets-key"), keys.length === 0);
  const ring = await KeyRing.from([...keys, ...kept]);
  return { ring, warnings: ring.seals ? [] : [NOT_ENCRYPTED] };
}

async function keptKey(file: string, make: boolean): Promise<string[]> {
  try {
    const kept = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
      return "";
    });
    hideSecrets([kept.trim()]);
    if (kept.trim()) return [kept.trim()];
    if (!make) return [];
    const key = randomBytes(32).toString("base64");
    hideSecrets([key]);
    // Atomic: the next start would take a partly written key for a different key.
    await writeFile(`${file}.new`, `${key}\n`, { mode: 0o600, flush: true });
    await rename(`${file}.new`, file);
    return [key];
  } catch (error) {
    throw new CannotStartError(`The key for secrets in ${file} cannot be used: ${(error as Error).message}`);
  }
}
