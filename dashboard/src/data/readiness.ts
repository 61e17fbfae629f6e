/** The checks of `/readyz`, which needs no key and is not part of the API's client. */

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
