/** The checks of `/readyz`, which needs no key and is not part of the API's client. */

import { checkClock, type Finding } from "causeway-mqtt/client";
import type { Check } from "./states.ts";

/** Check → result. Rejects if the bridge, or the proxy before it, does not respond with checks. */
export async function readChecks({
  signal,
}: {
  signal?: AbortSignal | undefined;
} = {}): Promise<Record<string, Check>> {
  const response = await fetch(new URL("readyz", document.baseURI), signal ? { signal } : {});
  // 503 has checks as well, except during shutdown.
  const { checks } = (await response.json()) as { checks?: Record<string, Check> };
  if (!checks) throw new Error(`/readyz responds with ${response.status}`);
  return checks;
}

/** Compares the clock of the bridge with that of this browser. */
export async function readClock({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<Finding> {
  const sentAt = Date.now();
  const response = await fetch(new URL("readyz", document.baseURI), { cache: "no-store", ...(signal && { signal }) });
  return checkClock(response.headers.get("date"), sentAt, Date.now());
}
