/** The typed client, which authenticates with the cookie of the session. */
import { Causeway } from "causeway-mqtt/client";

/**
 * @param send instead of `fetch`, for a page that has to see the responses themselves
 * @param retries one by default: the pages read again by themselves, and a person who waits wants to know why
 */
export function createClient(send?: typeof fetch, retries = 1): Causeway {
  return new Causeway({
    url: new URL(".", document.baseURI).href,
    ...(send && { fetch: send }),
    retries,
    timeoutMs: 20_000,
  });
}

export const causeway = createClient();
