/** Asks a device, and returns its response with the payload as it was sent. */
import type { RequestInput, Responded } from "causeway-mqtt/client";
import { createClient } from "../../../data/causeway.ts";
import { rawMember } from "../../../data/raw-member.ts";

export interface Answer {
  responded: Responded;
  /** The payload for `PayloadView`. */
  content: { text?: string; base64?: string };
}

export async function askDevice(request: RequestInput, signal: AbortSignal): Promise<Answer> {
  let json = "";
  // A parsed payload would lose the zeros of `21.50`: the text of the response has them.
  const client = createClient(async (...call) => {
    const response = await fetch(...call);
    json = await response.text();
    return new Response(json, response);
  });
  const responded = await client.requests.send(request, { signal });
  return { responded, content: contentOf(responded, json) };
}

function contentOf({ response }: Responded, json: string): Answer["content"] {
  const { payload, payloadBase64 } = response;
  if (payloadBase64 !== undefined) return { base64: payloadBase64 };
  if (typeof payload === "string") return { text: payload };
  return { text: rawMember(json, ["response", "payload"]) ?? "" };
}
