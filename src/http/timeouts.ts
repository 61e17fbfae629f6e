/** Time limits of requests and the connection limit: slow clients must not lock out the others. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { LINES } from "./document.ts";
import { handleClientError } from "./problems.ts";

export interface HttpTimeouts {
  /** Milliseconds for the request line and the headers, from the connection or the first byte on. */
  headersMs: number;
  /** Milliseconds for a body. A stream of lines has no total limit. */
  bodyMs: number;
  /** Milliseconds without data after which a stream of lines is ended. */
  silenceMs: number;
  /** Milliseconds for the rest of a body after the response, usually a refusal, has been sent. */
  answeredMs: number;
  /** Maximum number of connections; beyond it, idle ones are closed to make room for new ones. */
  maxConnections: number;
  /** Interval of the checks in milliseconds; each limit may be exceeded by this much. */
  checkMs: number;
}

export const HTTP_TIMEOUTS: HttpTimeouts = {
  headersMs: 15_000,
  bodyMs: 120_000,
  silenceMs: 120_000,
  answeredMs: 5_000,
  maxConnections: 10_000,
  checkMs: 1_000,
};

/** A request whose body is not complete. */
interface Coming {
  request: IncomingMessage;
  response: ServerResponse;
  since: number;
  /** Bytes received on the connection at the last check. */
  bytes: number;
  isAnswered: boolean;
}

/**
 * Enforces the limits on bodies, because Node's `requestTimeout` has no exception for streams of unlimited duration.
 * There is one request per connection: the next one starts after the body of the previous one is complete.
 */
export function enforceTimeouts(server: Server, limits: HttpTimeouts): void {
  const coming = new Map<Socket, Coming>();
  server.maxConnections = limits.maxConnections;
  server.on("drop", () => server.closeIdleConnections());
  server.on("request", (request, response) => {
    const { headers, socket } = request;
    if (headers["content-length"] === undefined && headers["transfer-encoding"] === undefined) return;
    coming.set(socket, { request, response, since: Date.now(), bytes: socket.bytesRead, isAnswered: false });
  });
  const timer = setInterval(() => {
    const now = Date.now();
    for (const [socket, one] of coming) {
      if (one.request.complete || socket.destroyed) coming.delete(socket);
      else if (isOver(one, socket, now, limits)) {
        coming.delete(socket);
        if (one.response.headersSent) socket.destroy();
        else handleClientError(TOO_SLOW, socket);
      }
    }
  }, limits.checkMs).unref();
  server.on("close", () => clearInterval(timer));
}

/** The error with which Node reports headers that take too long. */
const TOO_SLOW = Object.assign(new Error("the body took too long"), { code: "ERR_HTTP_REQUEST_TIMEOUT" });

function isOver(one: Coming, socket: Socket, now: number, limits: HttpTimeouts): boolean {
  const { request, response } = one;
  if (response.writableEnded && !one.isAnswered) {
    one.isAnswered = true;
    one.since = now;
  }
  if (one.isAnswered) return now - one.since >= limits.answeredMs;
  if (!request.headers["content-type"]?.startsWith(LINES)) return now - one.since >= limits.bodyMs;
  if (socket.bytesRead !== one.bytes) {
    one.bytes = socket.bytesRead;
    one.since = now;
  }
  return now - one.since >= limits.silenceMs;
}
