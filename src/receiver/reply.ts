/** The value that a handler returns, as the body of the response: webhooks with `replyTopic` publish it. */
import { fromBase64, toBase64 } from "./base64.ts";

export interface HandlerReply {
  contentType: string;
  body: Uint8Array<ArrayBuffer>;
}

/** A reply with a content type of its own, returned by `onMessage`. */
export class Reply {
  constructor(
    readonly body: string | Uint8Array,
    readonly contentType: string,
  ) {
    if (!/^[\x21-\x7e][\t\x20-\x7e]*$/.test(contentType)) throw new TypeError("the content type of a reply is invalid");
  }
}

/** A string is sent as text, bytes as bytes, undefined not at all, and any other value as JSON. */
export function replyOf(value: unknown): HandlerReply | undefined {
  if (value === undefined) return undefined;
  if (value instanceof Reply) return { contentType: value.contentType, body: bytesOf(value.body) };
  if (typeof value === "string") return { contentType: "text/plain", body: bytesOf(value) };
  if (value instanceof Uint8Array) return { contentType: "application/octet-stream", body: bytesOf(value) };
  const json = JSON.stringify(value) as string | undefined;
  if (json === undefined) throw new TypeError(`onMessage returned a ${typeof value}, which is no reply`);
  return { contentType: "application/json", body: bytesOf(json) };
}

/** The reply as text for the store of handled ids. */
export function encodeReply(reply: HandlerReply | undefined): string {
  return reply ? `${toBase64(reply.body)} ${reply.contentType}` : "";
}

export function decodeReply(text: string): HandlerReply | undefined {
  const space = text.indexOf(" ");
  const body = space < 0 ? undefined : fromBase64(text.slice(0, space));
  return body && { contentType: text.slice(space + 1), body };
}

function bytesOf(body: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return typeof body === "string" ? new TextEncoder().encode(body) : new Uint8Array(body);
}
