/** How long clients may take over a request, and how many may be connected: slow ones must not keep the others out. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { LINES } from "./document.ts";
import { handleClientError } from "./problems.ts";

export interface HttpTimeouts {
  /** Milliseconds for the request line and the headers, from the connection or the first byte on. */
  headersMs: number;
  /** Milliseconds for a body. A stream of lines takes as long as it takes. */
  bodyMs: number;
  /** Milliseconds in which nothing more comes of a stream of lines. */
  silenceMs: number;
  /** Milliseconds for the rest of a body that has been answered already, most often with a refusal. */
  answeredMs: number;
  /** Beyond them a connection that waits for its next request makes room for a new one. */
  maxConnections: number;
  /** Milliseconds between two looks at the clock: so much longer all of these may take. */
  lookMs: number;
}

export const HTTP_TIMEOUTS: HttpTimeouts = {
  headersMs: 15_000,
  bodyMs: 120_000,
  silenceMs: 120_000,
  answeredMs: 5_000,
  maxConnections: 10_000,
  lookMs: 1_000,
};

/** A request whose body had not come completely. */
interface Coming {
  request: IncomingMessage;
  response: ServerResponse;
  since: number;
  /** What the connection had brought when it was last looked at. */
  bytes: number;
  isAnswered: boolean;
}

/**
 * Node's own `requestTimeout` knows no stream that may last, so bodies are looked at here. One request a connection: the
 * next one begins when the body of the last has come.
 */
export function enforceTimeouts(server: Server, patience: HttpTimeouts): void {
  const coming = new Map<Socket, Coming>();
  server.maxConnections = patience.maxConnections;
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
      else if (isOver(one, socket, now, patience)) {
        coming.delete(socket);
        if (one.response.headersSent) socket.destroy();
        else handleClientError(TOO_SLOW, socket);
      }
    }
  }, patience.lookMs).unref();
  server.on("close", () => clearInterval(timer));
}

/** The error with which Node ends headers that take too long. */
const TOO_SLOW = Object.assign(new Error("the body took too long"), { code: "ERR_HTTP_REQUEST_TIMEOUT" });

function isOver(one: Coming, socket: Socket, now: number, patience: HttpTimeouts): boolean {
  const { request, response } = one;
  if (response.writableEnded && !one.isAnswered) {
    one.isAnswered = true;
    one.since = now;
  }
  if (one.isAnswered) return now - one.since >= patience.answeredMs;
  if (!request.headers["content-type"]?.startsWith(LINES)) return now - one.since >= patience.bodyMs;
  if (socket.bytesRead !== one.bytes) {
    one.bytes = socket.bytesRead;
    one.since = now;
  }
  return now - one.since >= patience.silenceMs;
}
