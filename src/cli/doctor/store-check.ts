/** Redis as the configuration names it: reachable, durable, with memory left. */

import { type Finding, failed, ok, warning } from "../../client/doctor/finding.ts";
import { failFastClient, redactedAddress, untilReady } from "../../store/redis/connection.ts";
import { checkServer } from "../../store/redis/server-check.ts";
import { StoreConfigError } from "../../store/store.ts";

const CHECK = "Redis";
const TIMEOUT_MS = 5_000;
const MEMORY_WARNING = 0.8;

export async function checkRedis(url: string): Promise<Finding[]> {
  const client = failFastClient(url);
  const late = `no answer within ${TIMEOUT_MS / 1_000} s`;
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(new Error(late)), TIMEOUT_MS);
  // After `untilReady` has seen the error: it knows which ones no waiting resolves.
  client.on("error", (error) => setImmediate(() => giveUp.abort(error)));
  const address = redactedAddress(url);
  try {
    await untilReady(client, giveUp.signal);
    const { version, warnings } = await checkServer(client);
    const findings = warnings.map((text) => warning(CHECK, text, "See docs/operations.md."));
    const durable = warnings.length === 0 ? ", keeps data on disk" : "";
    return [
      ok(CHECK, `${address}, version ${version}, noeviction${durable}`),
      ...findings,
      memory(await client.info("MEMORY")),
    ];
  } catch (error) {
    if (error instanceof StoreConfigError)
      return [failed(CHECK, error.message, "Change the setting that the message names.")];
    return [failed(CHECK, `${address}: ${(error as Error).message}`, "Start Redis, or correct STORE_URL.")];
  } finally {
    clearTimeout(timer);
    client.disconnect();
  }
}

export function memory(info: string): Finding {
  const bytesOf = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(info)?.[1] ?? 0);
  const [used, limit] = [bytesOf("used_memory"), bytesOf("maxmemory")];
  const mib = (bytes: number) => `${Math.ceil(bytes / 1024 / 1024).toLocaleString("en")} MiB`;
  if (limit === 0) return ok("Redis memory", `${mib(used)} used, without a limit`);
  const detail = `${mib(used)} of ${mib(limit)} used`;
  const advice = "Raise maxmemory: without memory, no message is accepted.";
  return used / limit > MEMORY_WARNING ? warning("Redis memory", detail, advice) : ok("Redis memory", detail);
}
