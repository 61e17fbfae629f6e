/** Signed calls as the bridge builds them, for tests without a bridge. */
import { type Message, newId } from "../../src/message.ts";
import {
  buildBatchRequest,
  buildRequest,
  eventJson,
  type WebhookRequest,
} from "../../src/uplink/request/cloudevent.ts";
import { newSecret, parseSecret, signAll } from "../../src/uplink/request/signature.ts";

export const SECRET = newSecret();

export interface CallFields {
  secrets?: string[];
  mode?: "structured" | "binary";
  attempt?: number;
  /** Milliseconds since the epoch. */
  now?: number;
}

export function messageOf(topic: string, payload: string | Uint8Array, more: Partial<Message> = {}): Message {
  const receivedAt = Date.now();
  return { id: newId("msg"), topic, payload: Buffer.from(payload), qos: 1, retain: false, receivedAt, ...more };
}

export function callOf(message: Message, { mode = "structured", ...fields }: CallFields = {}): WebhookRequest {
  const { attempt = 1, now = Date.now() } = fields;
  const request = buildRequest(message, { mode, source: "/test", attempt, now });
  return signed(request, message.id, { ...fields, now });
}

export function batchOf(messages: readonly Message[], fields: CallFields = {}): WebhookRequest {
  const { attempt = 1, now = Date.now() } = fields;
  const [id, events] = [newId("batch"), messages.map((message) => eventJson(message, { source: "/test" }))];
  return signed(buildBatchRequest(id, events, { attempt, now }), id, { ...fields, now });
}

/** Signs a request again, e.g. after a change of its body. */
export function signed(request: WebhookRequest, id: string, { secrets = [SECRET], now = Date.now() }: CallFields = {}) {
  const { body, headers } = request;
  const seconds = Math.floor(now / 1_000);
  const signature = signAll(secrets.map(parseSecret), id, seconds, body);
  return {
    body,
    headers: { ...headers, "webhook-timestamp": String(seconds), "webhook-signature": signature } as Record<
      string,
      string
    >,
  };
}

export function toRequest({ body, headers }: WebhookRequest, method = "POST"): Request {
  return new Request("http://127.0.0.1/hook", { method, headers, body: new Uint8Array(body) });
}
