/** Reads what an id stands for: a received or published message, or a request. */
import {
  type CallOptions,
  Causeway,
  type DeliveryDetail,
  isCausewayError,
  type RequestState,
} from "causeway-mqtt/client";
import { causeway } from "../../data/causeway.ts";
import { rawMember } from "../../data/raw-member.ts";
import type { Published, Received } from "./timeline.ts";

/** Deliveries whose attempts are read with the message; each is a call. */
const MAX_DETAILS = 20;

export type Subject =
  | { kind: "received"; message: Received; details: DeliveryDetail[] }
  | { kind: "published"; message: Published }
  | { kind: "request"; request: RequestState; raw: string | undefined };

export async function readSubject(id: string, options: CallOptions): Promise<Subject> {
  if (id.startsWith("req_")) return readRequest(id, options);
  const message = await causeway.messages.get(id, options);
  if (message.direction === "published") return { kind: "published", message };
  const read = message.deliveries.slice(0, MAX_DETAILS).map(async ({ webhookId }) => {
    try {
      return await causeway.deliveries.get(webhookId, id, options);
    } catch (error) {
      // Removed between the two calls.
      if (isCausewayError(error, "not_found")) return undefined;
      throw error;
    }
  });
  const details = (await Promise.all(read)).filter((detail) => detail !== undefined);
  return { kind: "received", message, details };
}

/** The client parses the response, which changes numbers; so its text is kept beside it. */
async function readRequest(id: string, options: CallOptions): Promise<Subject> {
  let text = "";
  const client = new Causeway({
    url: new URL(".", document.baseURI).href,
    retries: 1,
    fetch: async (...call) => {
      const response = await fetch(...call);
      text = await response.clone().text();
      return response;
    },
  });
  const request = await client.requests.get(id, options);
  return { kind: "request", request, raw: rawMember(text, ["response", "payload"]) };
}
