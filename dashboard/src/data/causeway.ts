/** The typed client, which authenticates with the cookie of the session. */
import { Causeway } from "causeway-mqtt/client";

export const causeway = new Causeway({
  url: new URL(".", document.baseURI).href,
  // The pages read again by themselves, and a person who waits wants to know why.
  retries: 1,
  timeoutMs: 20_000,
});
