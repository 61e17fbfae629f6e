/** Decides the response to a call. Bodies never contain an error of the application: the bridge keeps them. */
import { Gone, RefusedCall, RetryLater } from "./errors.ts";
import { type EventsOfCall, eventsOf, type ReceivedEvent } from "./event.ts";
import { consentTo } from "./ownership.ts";
import type { HandlerReply } from "./reply.ts";
import type { CallHeaders } from "./signature.ts";

export interface CallResponse {
  status: number;
  headers: Record<string, string>;
  body?: string | Uint8Array<ArrayBuffer>;
}

export interface Responder {
  allowedOrigins?: readonly string[];
  verify(headers: CallHeaders, body: Uint8Array<ArrayBuffer>): Promise<void>;
  handle(event: ReceivedEvent): Promise<HandlerReply | undefined>;
  onError(error: unknown, event?: ReceivedEvent): void;
}

export interface IncomingCall {
  method: string;
  headers: CallHeaders;
  /** Reads the body; rejects with a {@link RefusedCall} when it is too large. */
  readBody(): Promise<Uint8Array<ArrayBuffer>>;
}

/** Never rejects. */
export async function respondTo(
  { method, headers, readBody }: IncomingCall,
  responder: Responder,
): Promise<CallResponse> {
  if (method === "OPTIONS") return consentTo(headers, responder.allowedOrigins);
  if (!["POST", "PUT", "PATCH"].includes(method)) return json(405, { error: "call with POST" }, { allow: "POST" });
  try {
    const body = await readBody();
    await responder.verify(headers, body);
    return await respondToEvents(eventsOf({ headers, body }), responder);
  } catch (error) {
    if (error instanceof RefusedCall) return json(error.status, { error: error.message });
    responder.onError(error);
    return json(500, { error: "the receiver failed" });
  }
}

async function respondToEvents({ isBatch, events }: EventsOfCall, responder: Responder): Promise<CallResponse> {
  const outcomes = await Promise.allSettled(events.map((event) => responder.handle(event)));
  const errors: unknown[] = [];
  const failed = new Set<string>();
  for (const [i, outcome] of outcomes.entries()) {
    if (outcome.status === "fulfilled") continue;
    errors.push(outcome.reason);
    failed.add(events[i]!.id);
    if (!isForBridge(outcome.reason)) responder.onError(outcome.reason, events[i]);
  }
  // Both concern the whole webhook: the events of this call that succeeded are remembered.
  if (errors.some((error) => error instanceof Gone)) return json(410, { error: "no more events, please" });
  const delays = errors.flatMap((error) => (error instanceof RetryLater ? [Math.ceil(error.seconds)] : []));
  if (delays.length > 0) return json(429, { error: "retry later" }, { "retry-after": String(Math.max(...delays)) });
  if (isBatch) return json(200, { failed: [...failed] });
  if (failed.size > 0) return json(500, { error: "the handler failed" });
  const [outcome] = outcomes as PromiseFulfilledResult<HandlerReply | undefined>[];
  return outcome?.value ? replied(outcome.value) : { status: 204, headers: {} };
}

function isForBridge(error: unknown): boolean {
  return error instanceof Gone || error instanceof RetryLater;
}

function replied({ contentType, body }: HandlerReply): CallResponse {
  return { status: 200, headers: { "content-type": contentType }, body };
}

function json(status: number, content: object, headers: Record<string, string> = {}): CallResponse {
  return { status, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(content) };
}
