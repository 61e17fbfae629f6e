/** The typed client, which authenticates with the cookie of the session. */
import { Causeway } from "causeway-mqtt/client";

/** @param send instead of `fetch`, for a page that has to see the responses themselves */
export function createClient(send?: typeof fetch): Causeway {
  return new Causeway({
    url: new URL(".", document.baseURI).href,
    ...(send && { fetch: send }),
    // The pages read again by themselves, and a person who waits wants to know why.
    retries: 1,
    timeoutMs: 20_000,
  });
}

export const causeway = createClient();
