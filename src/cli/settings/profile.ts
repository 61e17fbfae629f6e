/** Profiles in `$XDG_CONFIG_HOME/causeway/config.yaml`: named addresses of bridges, with their keys. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parse, YAMLParseError } from "yaml";
import { UsageError } from "../failures.ts";

interface Profile {
  name: string;
  url?: string;
  apiKey?: string;
}

const DEFAULT = "default";
const FIELDS = ["url", "apiKey", "apiKeyFile"];

/**
 * Reads the named profile, or `default` if the file has one.
 * @throws UsageError if the named profile does not exist, or if the file is not valid
 */
export function readProfile(wanted: string | undefined, env: Record<string, string | undefined>): Profile | undefined {
  const folder = join(env.XDG_CONFIG_HOME || join(homedir(), ".config"), "causeway");
  const file = join(folder, "config.yaml");
  const text = readIfThere(file);
  if (text === undefined) {
    if (wanted !== undefined) throw new UsageError(`there is no profile ${wanted}: ${file} does not exist`);
    return undefined;
  }
  const profiles = parseProfiles(text, file);
  const name = wanted ?? DEFAULT;
  const found = profiles[name];
  if (found === undefined) {
    if (wanted === undefined) return undefined;
    throw new UsageError(
      `there is no profile ${wanted} in ${file}: it has ${Object.keys(profiles).join(", ") || "none"}`,
    );
  }
  const place = `${file}: profile ${name}`;
  const unknown = Object.keys(found).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined)
    throw new UsageError(`${place} has an unknown field ${unknown}: known are ${FIELDS.join(", ")}`);
  for (const [field, value] of Object.entries(found)) {
    if (typeof value !== "string") throw new UsageError(`${place}: ${field} must be text`);
  }
  const { url, apiKey, apiKeyFile } = found as Record<string, string | undefined>;
  const keyFile = apiKeyFile === undefined ? undefined : resolve(folder, apiKeyFile.replace(/^~(?=\/)/, homedir()));
  const key = apiKey ?? (keyFile && readIfThere(keyFile)?.trim());
  if (keyFile !== undefined && key === undefined) throw new UsageError(`${place}: ${keyFile} does not exist`);
  return { name, ...(url !== undefined && { url }), ...(key !== undefined && { apiKey: key }) };
}

function parseProfiles(text: string, file: string): Record<string, object> {
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    // The parser's message quotes the line, which may contain a key.
    if (!(error instanceof YAMLParseError)) throw error;
    throw new UsageError(`${file} is not valid YAML, line ${error.linePos?.[0].line}`);
  }
  const { profiles } = (document ?? {}) as { profiles?: unknown };
  const isValid = isMapping(profiles) && Object.values(profiles).every(isMapping);
  if (!isValid) throw new UsageError(`${file} must contain profiles: a mapping of names to url and apiKey`);
  return profiles as Record<string, object>;
}

function isMapping(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new UsageError(`${file} cannot be read (${code})`);
  }
}
