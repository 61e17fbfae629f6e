/** `Idempotency-Key`: a repeated POST gets the response of the first one, and the work is done once. */
import { hash } from "node:crypto";
import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest, RouteShorthandOptions } from "fastify";
import { credentialOf } from "./auth.ts";
import { type HeldKey, type IdempotencyKeys, type KeptResponse, keep, prolong, take } from "./idempotency-keys.ts";
import { fieldProblem } from "./problem.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The response is large and short-lived: the handler remakes it for a repetition. */
    isRemade?: boolean;
  }
  interface FastifyRequest {
    /** Set while this request holds its idempotency key. */
    idempotency: HeldKey | null;
    /** Set if the body is newline-delimited JSON: each line has its own idempotency key. */
    onceALine: OnceALine | null;
    /** Set if the handler remakes its response instead of having it stored. */
    onceRemade: OnceRemade | null;
  }
}

/**
 * Does the work for one line, or returns its earlier result. Rejects with a Problem if the idempotency key does not
 * allow it.
 * @param index counted from 0
 * @param text of the line, which must be the same when it is repeated
 */
export type OnceALine = (index: number, text: string, work: () => Promise<string>) => Promise<string>;

/** Each line is a record for 24 hours, so their number must be limited. */
const MAX_KEYED_LINES = 100_000;
/**
 * Does the work of a request, or repeats it. Rejects with a Problem if the idempotency key does not allow it.
 * @param work resolves with the result and the text to keep for repetitions; undefined keeps nothing, so that a
 * repetition works anew
 * @param again makes the result once more, from the text that was kept
 */
export type OnceRemade = <T>(
  work: () => Promise<[result: T, kept: string | undefined]>,
  again: (kept: string) => Promise<T>,
) => Promise<T>;

/** How long responses that are remade can be: as in SQS for `ReceiveRequestAttemptId`. */
const REMADE_SECONDS = 300;
/** A process that dies while a consumer waits must not block the consumer's key for long. */
const REMADE_RUNNING_SECONDS = 15;
const PROLONG_MS = 5_000;

/**
 * Hooks of a POST route. They run after validation, so that an invalid request uses no key; a request without the
 * header costs one header lookup.
 *
 * The responses of createKey and createWebhook contain secrets. Responses are therefore stored encrypted, with a key
 * derived from the caller's API key or session token and therefore never in the store: read access to the store reveals
 * no API key. The request body is stored as a digest keyed the same way: a plain digest would confirm a correct guess at
 * a payload.
 */
export function idempotencyHooks(expiringKeys: IdempotencyKeys) {
  return {
    preHandler(request, reply, done) {
      const key = request.headers["idempotency-key"];
      if (key === undefined) return done();
      const scope = scopeOf(request, String(key));
      if (request.body instanceof Readable) {
        request.onceALine = onceALine(expiringKeys, scope);
        return done();
      }
      if (request.routeOptions.config.isRemade) {
        request.onceRemade = onceRemade(expiringKeys, scope, bodyDigest(request), reply);
        return done();
      }
      begin(expiringKeys, request, scope).then((answer) => (answer ? replay(reply, answer) : done()), done);
    },
    onSend(request, reply, payload, done) {
      if (request.idempotency === null) return done(null, payload);
      // Kept before it is sent. If keeping it fails, the client still gets its response: the work is done, and an error
      // would cause a retry.
      finish(expiringKeys, request, reply, payload)
        .catch((err: unknown) => request.log.warn({ err }, "idempotency_not_kept"))
        .then(() => done(null, payload));
    },
  } satisfies RouteShorthandOptions;
}

/** Scope of an idempotency key. @throws Problem if the header is not a valid key */
function scopeOf(request: FastifyRequest, key: string): unknown[] {
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw fieldProblem("invalid_request", "header.idempotency-key", "must be 1 to 255 printable ASCII characters");
  }
  return [credentialOf(request), request.method, request.url, key];
}

async function begin(
  expiringKeys: IdempotencyKeys,
  request: FastifyRequest,
  scope: unknown[],
): Promise<KeptResponse | undefined> {
  const begun = await take(expiringKeys, scope, bodyDigest(request));
  if ("payload" in begun) return begun;
  request.idempotency = begun;
  return undefined;
}

function onceALine(expiringKeys: IdempotencyKeys, scope: unknown[]): OnceALine {
  return async (index, text, work) => {
    if (index >= MAX_KEYED_LINES) {
      const message = `with an Idempotency-Key a stream may have ${MAX_KEYED_LINES} lines`;
      throw fieldProblem("invalid_request", "", message);
    }
    const begun = await take(expiringKeys, [...scope, index], hash("sha256", text));
    if ("payload" in begun) return begun.payload;
    const payload = await work();
    const { status } = JSON.parse(payload) as { status: number };
    // Ignores an unavailable store: the work is done, and the client must get the result.
    await keep(expiringKeys, begun, { status, payload }).catch(() => undefined);
    return payload;
  };
}

function onceRemade(expiringKeys: IdempotencyKeys, scope: unknown[], digest: string, reply: FastifyReply): OnceRemade {
  return async (work, again) => {
    const begun = await take(expiringKeys, scope, digest, REMADE_RUNNING_SECONDS);
    if ("payload" in begun) {
      const result = await again(begun.payload);
      reply.header("idempotent-replayed", "true");
      return result;
    }
    let prolonged: Promise<unknown> = Promise.resolve();
    const timer = setInterval(() => {
      prolonged = prolong(expiringKeys, begun, REMADE_RUNNING_SECONDS).catch(() => undefined);
    }, PROLONG_MS);
    let payload: string | undefined;
    try {
      const [result, kept] = await work();
      payload = kept;
      return result;
    } finally {
      clearInterval(timer);
      await prolonged;
      const end =
        payload === undefined
          ? expiringKeys.release(begun.key)
          : keep(expiringKeys, begun, { status: 200, payload }, REMADE_SECONDS);
      // Ignores an unavailable store, as above.
      await end.catch(() => undefined);
    }
  };
}

/** Digest of the body; raw bytes are published with their content type, so it is part of the digest. */
function bodyDigest(request: FastifyRequest): string {
  if (!Buffer.isBuffer(request.body)) return hash("sha256", request.rawJson);
  const contentType = Buffer.from(`${request.headers["content-type"] ?? ""}\n`);
  return hash("sha256", Buffer.concat([contentType, request.body]));
}

function finish(
  expiringKeys: IdempotencyKeys,
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
): Promise<void> {
  return keep(expiringKeys, request.idempotency!, {
    status: reply.statusCode,
    contentType: headerOf(reply, "content-type"),
    location: headerOf(reply, "location"),
    payload: typeof payload === "string" ? payload : "",
  });
}

function headerOf(reply: FastifyReply, name: string): string | undefined {
  const value = reply.getHeader(name);
  return value === undefined ? undefined : String(value);
}

function replay(reply: FastifyReply, { status, contentType, location, payload }: KeptResponse): void {
  reply.code(status).header("idempotent-replayed", "true");
  if (contentType !== undefined) reply.header("content-type", contentType);
  if (location !== undefined) reply.header("location", location);
  reply.send(payload);
}
