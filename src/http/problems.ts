/** Converts every error of a request to a problem response (RFC 9457). */
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { fieldsProblem, Problem } from "./problem.ts";
import { fieldErrors } from "./validation.ts";

/** Writes the problem as the reply. */
export function sendProblem(reply: FastifyReply, problem: Problem): void {
  reply.code(problem.status).headers(problem.headers).type("application/problem+json").send(JSON.stringify(problem));
}

/** Maps a known error of another part to a {@link Problem}; returns undefined for any other error. */
export type Explain = (error: Error) => Problem | undefined;

/** The app's error handler. An unexpected error is logged, and its details are not sent to the client. */
export function errorHandler(explain: Explain = () => undefined) {
  return (error: FastifyError | Problem, request: FastifyRequest, reply: FastifyReply): void => {
    const problem = explain(error) ?? toProblem(error, request);
    if (problem.code === "internal_error") {
      request.log.error({ err: error, method: request.method, url: withoutToken(request.url) }, "request_failed");
    }
    sendProblem(reply, problem);
  };
}

/** The path of a hook is a secret. */
function withoutToken(url: string): string {
  return url.replace(/^\/in\/[^/?]*/, "/in/********");
}

function toProblem(error: FastifyError | Problem, request: FastifyRequest): Problem {
  if (error instanceof Problem) return error;
  if (error.validation) {
    return fieldsProblem(fieldErrors(error.validation, error.validationContext));
  }
  switch (error.code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new Problem("payload_too_large", `at most ${request.routeOptions.bodyLimit} bytes`);
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new Problem("unsupported_media_type", "send Content-Type: application/json");
    case "FST_ERR_CTP_INVALID_JSON_BODY":
      return new Problem("invalid_request", "the body is not valid JSON");
  }
  const { statusCode = 500 } = error;
  // The parser's own message is not passed on: it may quote the body, and the body may contain a secret.
  if (statusCode >= 400 && statusCode < 500) return new Problem("invalid_request", STATUS_CODES[statusCode] ?? "");
  return new Problem("internal_error", "the request could not be completed", { cause: error });
}

const unreadable: Record<string, Problem> = {
  HPE_HEADER_OVERFLOW: new Problem("invalid_request", "the request line and the headers are too long"),
  // curl, for example, does not percent-encode a topic such as küche.
  HPE_INVALID_URL: new Problem("invalid_request", "the path must be percent-encoded"),
  ERR_HTTP_REQUEST_TIMEOUT: new Problem("slow_request", "the request was not received in time"),
};
const INVALID = new Problem("invalid_request", "this is not a valid HTTP request");
/** Time before a client that keeps sending or never disconnects is cut off: at once, it could miss the response. */
const LINGER_MS = 1_000;

/** Handles a request that Node could not parse, or not in time; there is no reply object. */
export function handleClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem = unreadable[error.code ?? ""] ?? INVALID;
  const body = JSON.stringify(problem);
  const status = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`;
  const head = [status, "Content-Type: application/problem+json", "Connection: close"];
  socket.end([...head, `Content-Length: ${Buffer.byteLength(body)}`, "", body].join("\r\n"));
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}
