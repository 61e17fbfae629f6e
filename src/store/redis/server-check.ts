import type { Redis } from "ioredis";
import type { StoreCapacity } from "../capacity.ts";
import { StoreConfigError } from "../store.ts";

export interface ServerCheck {
  version: string;
  warnings: string[];
}

/** Parses the `name:value` lines of INFO. */
function parseInfo(info: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of info.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}

/** Returns undefined when the server denies this user CONFIG GET (managed services, ACLs). */
async function configValue(client: Redis, name: string): Promise<string | undefined> {
  try {
    const reply = (await client.config("GET", name)) as string[];
    return reply[1];
  } catch {
    return undefined;
  }
}

function olderThan62(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < 6 || (major === 6 && minor < 2);
}

/** Refuses a server whose configuration loses data by design, and warns of settings that may lose data by accident. */
export async function checkServer(client: Redis): Promise<ServerCheck> {
  const info = parseInfo(await client.info());
  // Valkey and Dragonfly report the compatible Redis version in addition to their own.
  const version = info.get("redis_version") ?? "0";
  if (!info.has("valkey_version") && !info.has("dragonfly_version") && olderThan62(version)) {
    throw new StoreConfigError(`Redis ${version} is too old: Causeway needs Redis 6.2 or newer, Valkey or Dragonfly.`);
  }

  if (info.get("redis_mode") === "sentinel") {
    throw new StoreConfigError(
      "STORE_URL names a Redis Sentinel, which stores nothing. Name the Redis that it watches.",
    );
  }
  if (info.get("cluster_enabled") === "1" && !info.has("dragonfly_version")) {
    throw new StoreConfigError(
      "STORE_URL names a node of a Redis Cluster, which Causeway cannot use: its keys belong together and a cluster " +
        "spreads them. Name a Redis with cluster mode off.",
    );
  }

  const policy = info.get("maxmemory_policy") ?? (await configValue(client, "maxmemory-policy"));
  if (policy && policy !== "noeviction") {
    throw new StoreConfigError(
      `Redis has maxmemory-policy "${policy}" and would evict queued messages when its memory is full. ` +
        'Set "maxmemory-policy noeviction", or point STORE_URL at a Redis of its own.',
    );
  }

  const warnings: string[] = [];
  if (info.get("aof_enabled") === "0" && (await configValue(client, "save")) === "") {
    warnings.push(
      "Redis keeps nothing on disk (neither AOF nor RDB is on): a restart of Redis loses every webhook, key and " +
        'queued message. Set "appendonly yes".',
    );
  }
  return { version, warnings };
}

/** Used memory and its limit. */
export async function readCapacity(client: Redis, version: string): Promise<StoreCapacity> {
  const info = parseInfo(await client.info("MEMORY"));
  const limit = Number(info.get("maxmemory") ?? 0);
  return { usedBytes: Number(info.get("used_memory") ?? 0), maximumBytes: limit === 0 ? null : limit, version };
}
