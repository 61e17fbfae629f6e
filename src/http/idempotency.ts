/** `Idempotency-Key`: a POST that is sent again is answered again, and done once. */
import { hash } from "node:crypto";
import type { FastifyReply, FastifyRequest, RouteShorthandOptions } from "fastify";
import { fieldProblem, Problem } from "../errors.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Set while this request holds the claim of its idempotency key. */
    idempotency: { claim: string; body: string } | null;
  }
}

/** Values with an end; the store's `Claims`. */
export interface Claims {
  /** Stores the value if the key is free, and answers undefined; otherwise answers the value that is there. */
  claim(key: string, value: string, ttlSeconds: number): Promise<string | undefined>;
  put(key: string, value: string, ttlSeconds: number): Promise<void>;
  release(key: string): Promise<void>;
}

/** What stands under a claim: the digest of the request's body, and the answer once there is one. */
interface Entry {
  body: string;
  answer?: { status: number; contentType?: string; location?: string; payload: string };
}

const KEPT_SECONDS = 24 * 3600;

/** A process that dies while it works blocks its keys this long. No operation takes longer: publishing ends at 10 s. */
const RUNNING_SECONDS = 60;

/**
 * The hooks of a POST route. After validation, so that a request that was never carried out takes no key; requests
 * without the header pay one look at it.
 *
 * The answer of createWebhook holds the webhook's secret, and so does the entry in the store, for 24 hours. That is
 * accepted: the registration holds the secret in the same store for as long as it lives.
 */
export function idempotencyHooks(claims: Claims) {
  return {
    preHandler(request, reply, done) {
      const key = request.headers["idempotency-key"];
      if (key === undefined) return done();
      begin(claims, request, String(key)).then((answer) => (answer ? replay(reply, answer) : done()), done);
    },
    onSend(request, reply, payload, done) {
      if (request.idempotency === null) return done(null, payload);
      // Kept before it is sent. If that fails the client still gets its answer: the work is done, and an error would
      // make it try again.
      finish(claims, request, reply, payload)
        .catch((err: unknown) => request.log.warn({ err }, "idempotency_not_kept"))
        .then(() => done(null, payload));
    },
  } satisfies RouteShorthandOptions;
}

/** Takes the claim, or gives the answer that is there already. */
async function begin(claims: Claims, request: FastifyRequest, key: string): Promise<Entry["answer"]> {
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw fieldProblem("invalid_request", "header.idempotency-key", "must be 1 to 255 printable ASCII characters");
  }
  const { authorization = "" } = request.headers;
  const scope = JSON.stringify([authorization, request.method, request.originalUrl, key]);
  const claim = `idempotency-${hash("sha256", scope)}`;
  const body = bodyDigest(request);
  const found = await claims.claim(claim, JSON.stringify({ body } satisfies Entry), RUNNING_SECONDS).catch((cause) => {
    const headers = { "retry-after": "1" };
    throw new Problem("store_unavailable", "the idempotency key could not be checked", { headers, cause });
  });
  if (found === undefined) {
    request.idempotency = { claim, body };
    return undefined;
  }
  const entry: Entry = JSON.parse(found);
  if (entry.body !== body) {
    throw new Problem("idempotency_mismatch", "this Idempotency-Key was used with another body");
  }
  if (!entry.answer) {
    const detail = "the first request with this Idempotency-Key has not been answered yet";
    throw new Problem("idempotency_in_progress", detail, { headers: { "retry-after": "1" } });
  }
  return entry.answer;
}

/** Bytes are published together with their content type, so there the two make the request. */
function bodyDigest(request: FastifyRequest): string {
  if (!Buffer.isBuffer(request.body)) return hash("sha256", request.rawJson);
  const contentType = Buffer.from(`${request.headers["content-type"] ?? ""}\n`);
  return hash("sha256", Buffer.concat([contentType, request.body]));
}

/** Keeps the answer, unless another try may end better: 5xx and 429. */
function finish(claims: Claims, request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<void> {
  const { claim, body } = request.idempotency!;
  const status = reply.statusCode;
  if (status >= 500 || status === 429) return claims.release(claim);
  const answer = {
    status,
    contentType: headerOf(reply, "content-type"),
    location: headerOf(reply, "location"),
    payload: typeof payload === "string" ? payload : "",
  };
  return claims.put(claim, JSON.stringify({ body, answer } satisfies Entry), KEPT_SECONDS);
}

function headerOf(reply: FastifyReply, name: string): string | undefined {
  const value = reply.getHeader(name);
  return value === undefined ? undefined : String(value);
}

function replay(reply: FastifyReply, { status, contentType, location, payload }: NonNullable<Entry["answer"]>): void {
  reply.code(status).header("idempotent-replayed", "true");
  if (contentType !== undefined) reply.header("content-type", contentType);
  if (location !== undefined) reply.header("location", location);
  reply.send(payload);
}
