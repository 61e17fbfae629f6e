/** One request to a receiver and its response. */
import type { Dispatcher } from "undici";
import { reasonOf } from "../../security/redaction.ts";
import type { AttemptResult, ErrorKind } from "../attempt.ts";
import { BlockedAddressError } from "./ssrf-guard.ts";

export interface Call {
  /** POST when absent. */
  method?: "POST" | "PUT" | "PATCH" | "OPTIONS";
  url: string;
  headers: Record<string, string>;
  body: string | Buffer;
  /** Milliseconds for the whole call, including the wait for a connection. */
  timeoutMs: number;
  /** Overrides the sender's limit for this call, when the response itself is needed. */
  maxResponseBytes?: number;
  /** Lower-case names of the response headers to return. */
  responseHeaders?: readonly string[];
  /** Also returns the response body as bytes, with its content type. */
  keepBody?: boolean;
}

/** Bytes of a response to read at most: reading more would cost more than a new connection, or never end. */
const MAX_DRAIN_BYTES = 64 * 1_024;

/**
 * Dispatch handler used instead of `undici.request`: it needs no stream for a body of which 1 KiB is kept, and ends a
 * call that waits for a connection at its time-out (an AbortSignal ends it only later).
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #startedAt = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #maxResponseBytes: number;
  readonly #wantedHeaders: readonly string[];
  readonly #keepBody: boolean;
  #controller: Dispatcher.DispatchController | undefined;
  #settled = false;
  #statusCode: number | undefined;
  #retryAfter: string | undefined;
  #headers: Record<string, string> | undefined;
  #type: string | undefined;
  #kept: Buffer[] = [];
  #received = 0;

  constructor(
    {
      timeoutMs,
      maxResponseBytes,
      responseHeaders = [],
      keepBody = false,
    }: Omit<Call, "maxResponseBytes"> & { maxResponseBytes: number },
    readonly done: (result: AttemptResult) => void,
  ) {
    this.#maxResponseBytes = maxResponseBytes;
    this.#wantedHeaders = responseHeaders;
    this.#keepBody = keepBody;
    this.#timer = setTimeout(() => this.#breakOff(`no complete answer within ${timeoutMs} ms`), timeoutMs);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#settled) controller.abort(new Error("timed out before a connection was free"));
    else this.#controller = controller;
  }

  onResponseStart(_: Dispatcher.DispatchController, statusCode: number, headers: Record<string, unknown>): void {
    if (statusCode < 200) return; // informational, e.g. 103 Early Hints
    this.#statusCode = statusCode;
    const retryAfter = headers["retry-after"];
    if (typeof retryAfter === "string") this.#retryAfter = retryAfter;
    for (const name of this.#wantedHeaders) {
      const value = headers[name];
      if (typeof value === "string") this.#headers = { ...this.#headers, [name]: value };
    }
    const type = headers["content-type"];
    if (typeof type === "string") this.#type = type;
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    const room = this.#maxResponseBytes - this.#received;
    // Copied, since undici reuses the chunk's memory.
    if (room > 0) this.#kept.push(Buffer.from(chunk.subarray(0, room)));
    this.#received += chunk.length;
    if (this.#received > Math.max(MAX_DRAIN_BYTES, this.#maxResponseBytes)) this.#breakOff("the answer is too long");
  }

  onResponseEnd(): void {
    this.#settle({}, this.#received > this.#maxResponseBytes);
  }

  onResponseError(_: unknown, error: unknown): void {
    this.#settle(classify(error), true);
  }

  #breakOff(reason: string): void {
    const controller = this.#controller;
    this.#settle({ error: "timeout", detail: reason }, true);
    controller?.abort(new Error(reason));
  }

  /** The status line decides: once it is received, a body that breaks off or never ends does not change the outcome. */
  #settle(failure: { error?: ErrorKind; detail?: string }, truncated: boolean): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#controller = undefined;
    clearTimeout(this.#timer);
    const result: AttemptResult = { durationMs: Math.round(performance.now() - this.#startedAt) };
    if (this.#statusCode === undefined) {
      Object.assign(result, failure);
    } else {
      result.statusCode = this.#statusCode;
      if (this.#statusCode >= 300) result.error = this.#statusCode < 400 ? "redirect" : "http_error";
      if (this.#retryAfter !== undefined) result.retryAfter = this.#retryAfter;
      if (this.#headers !== undefined) result.headers = this.#headers;
      if (this.#kept.length > 0) this.#addBody(result, Buffer.concat(this.#kept));
      if (truncated) result.responseTruncated = true;
    }
    this.done(result);
  }

  #addBody(result: AttemptResult, body: Buffer): void {
    result.responseBody = readable(body);
    if (!this.#keepBody) return;
    result.body = body;
    if (this.#type !== undefined) result.bodyType = this.#type;
  }
}

/** Decodes text without a partial character at the end and without U+0000, which not every store can hold. */
function readable(bytes: Buffer): string {
  return new TextDecoder("utf-8").decode(bytes, { stream: true }).replaceAll("\u0000", "\ufffd");
}

const KINDS: Record<string, ErrorKind> = {
  UND_ERR_CONNECT_TIMEOUT: "connect_timeout",
  ETIMEDOUT: "connect_timeout",
  ECONNREFUSED: "connection_refused",
  ECONNRESET: "connection_reset",
  EPIPE: "connection_reset",
  UND_ERR_SOCKET: "connection_reset", // "other side closed"
  EPROTO: "tls_error",
  ENOTFOUND: "dns_error",
};
/** OpenSSL's verification results have their own codes (`CERT_HAS_EXPIRED`, `DEPTH_ZERO_SELF_SIGNED_CERT`, …). */
const TLS_CODE = /^ERR_(?:TLS|SSL|OSSL)_|CERT|SIGNATURE|^UNABLE_TO_|^HOSTNAME_MISMATCH$|^INVALID_(?:CA|PURPOSE)$/;
const DNS_CODE = /^(?:EAI_|ENODATA$|ESERVFAIL$)/;

function classify(error: unknown): { error: ErrorKind; detail: string } {
  if (error instanceof BlockedAddressError) {
    return { error: "blocked_address", detail: `${error.host}: ${error.rule}` };
  }
  const code = codeOf(error);
  const kind = KINDS[code] ?? (TLS_CODE.test(code) ? "tls_error" : DNS_CODE.test(code) ? "dns_error" : "network_error");
  const message = error instanceof Error && error.message ? reasonOf(error) : code;
  return { error: kind, detail: message.slice(0, 200) };
}

/** Returns an error's code; for an AggregateError, which results from several addresses, that of its last part. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors.at(-1));
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
