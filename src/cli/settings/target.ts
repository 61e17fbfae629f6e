/** The bridge and the key of a command: flag > environment > profile > the bridge on this machine. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { UsageError } from "../failures.ts";
import { readProfile } from "./profile.ts";

export type Environment = Record<string, string | undefined>;

export interface BridgeTarget {
  url: string;
  apiKey: string | undefined;
  /** Where the values come from, for people. */
  urlFrom: string;
  keyFrom: string;
}

interface Flags {
  bridge?: string;
  apiKey?: string;
  profile?: string;
}

type Candidate = readonly [value: string | undefined, from: string];

export function findTarget(flags: Flags, env: Environment): BridgeTarget {
  const profile = readProfile(flags.profile, env);
  const from = `profile ${profile?.name}`;
  const local = localSettings(env);
  const [url, urlFrom] = first(
    [flags.bridge, "--bridge"],
    [env.CAUSEWAY_URL, "CAUSEWAY_URL"],
    [profile?.url, from],
    [`http://127.0.0.1:${local.PORT || 8080}${local.BASE_PATH ?? ""}`, "default"],
  ) as [string, string];
  checkUrl(url, urlFrom);
  const [apiKey, keyFrom] = first(
    [flags.apiKey, "--api-key"],
    [env.CAUSEWAY_API_KEY, "CAUSEWAY_API_KEY"],
    [profile?.apiKey, from],
    // The key of the bridge here must not reach a bridge elsewhere.
    isLoopback(url) ? localKey(local.DATA_DIR || "data") : [undefined, ""],
  );
  return { url, urlFrom, apiKey, keyFrom };
}

function first(...candidates: Candidate[]): Candidate {
  return candidates.find(([value]) => value) ?? [undefined, "nowhere"];
}

function checkUrl(url: string, from: string): void {
  const isHttp = URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
  if (!isHttp) throw new UsageError(`${from}: the address of the bridge must be a URL such as http://127.0.0.1:8080`);
}

export function isLoopback(url: string): boolean {
  return /^(127(\.\d+){3}|localhost|\[::1\])$/.test(new URL(url).hostname);
}

/** The settings of the bridge on this machine, as `causeway start` would read them in this folder. */
export function localSettings(env: Environment): Environment {
  let file: Environment = {};
  try {
    file = parseEnv(readFileSync(".env", "utf8"));
  } catch {
    // No `.env` here, or none that may be read: `start` reports the latter.
  }
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value));
  return { ...file, ...present };
}

function localKey(dataDir: string): Candidate {
  const file = join(dataDir, "api-key");
  try {
    return [readFileSync(file, "utf8").trim(), file];
  } catch {
    return [undefined, file];
  }
}
