/** Sends an event to a local receiver as the bridge would in structured mode. */
import { createHmac } from "node:crypto";
import { type Pulled, payloadText } from "../../client/index.ts";
import { versionOf } from "../program-version.ts";

export interface LocalReceiver {
  url: string;
  /** `whsec_…`; absent: no signature. */
  secret?: string | undefined;
}

export interface Forwarded {
  isAccepted: boolean;
  /** The status code, or the error. */
  outcome: string;
  durationMs: number;
}

const TIMEOUT_MS = 15_000;

/** Never rejects. */
export async function forward(
  { event, messageId, attempt }: Pick<Pulled, "event" | "messageId" | "attempt">,
  { url, secret }: LocalReceiver,
  signal: AbortSignal,
): Promise<Forwarded> {
  const body = eventText(event);
  const timestamp = String(Math.floor(Date.now() / 1_000));
  const headers = {
    "content-type": "application/cloudevents+json",
    "user-agent": `Causeway/${versionOf()}`,
    "webhook-id": messageId,
    "webhook-timestamp": timestamp,
    "causeway-attempt": String(attempt),
    ...(secret !== undefined && { "webhook-signature": signature(secret, messageId, timestamp, body) }),
  };
  const startedAt = performance.now();
  const ended = (isAccepted: boolean, outcome: string) => ({
    ...{ isAccepted, outcome, durationMs: Math.round(performance.now() - startedAt) },
  });
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const response = await fetch(url, { method: "POST", headers, body, redirect: "manual", signal: limit });
    await response.arrayBuffer();
    return ended(response.ok, String(response.status));
  } catch (error) {
    const cause = (error as Error).cause as { code?: string } | undefined;
    return ended(false, cause?.code ?? (error as Error).message);
  }
}

/** The event as the bridge writes it: a JSON payload is the text that the device sent. */
function eventText(event: Pulled["event"]): string {
  const { data, ...rest } = event;
  if (data === undefined) return JSON.stringify(rest);
  const source = typeof data === "string" ? JSON.stringify(data) : payloadText(event);
  return `${JSON.stringify(rest).slice(0, -1)},"data":${source}}`;
}

/** Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`. */
function signature(secret: string, id: string, timestamp: string, body: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
}
