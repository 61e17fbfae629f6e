/** `Idempotency-Key`: a POST that is sent again is answered again, and done once. */
import { createCipheriv, createDecipheriv, createHmac, hash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest, RouteShorthandOptions } from "fastify";
import { fieldProblem, Problem } from "../errors.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Set while this request holds the claim of its idempotency key. */
    idempotency: Turn | null;
    /** Set where the body is lines of JSON: each of them has a claim of its own. */
    onceALine: OnceALine | null;
  }
}

/** Values with an end; the store's `Claims`. */
export interface ExpiringKeys {
  /** Stores the value if the key is free, and answers undefined; otherwise answers the value that is there. */
  setIfAbsent(key: string, value: string, ttlSeconds: number): Promise<string | undefined>;
  put(key: string, value: string, ttlSeconds: number): Promise<void>;
  release(key: string): Promise<void>;
}

/** What stands under a claim: the keyed digest of the request's body, and the answer, sealed, once there is one. */
interface Entry {
  body: string;
  answer?: string;
}

interface StoredResponse {
  status: number;
  contentType?: string | undefined;
  location?: string | undefined;
  payload: string;
}

/** Who holds a claim, and what the answer is sealed with. */
interface Turn {
  claim: string;
  body: string;
  secret: Buffer;
}

/**
 * Does the work of one line, or answers what it answered before. Rejects with a Problem where the key does not allow it.
 * @param index counted from 0
 * @param text of the line, which must be the same when it comes again
 */
export type OnceALine = (index: number, text: string, work: () => Promise<string>) => Promise<string>;

/** Each line is a record for 24 hours: the number of them must have an end. */
const MAX_KEYED_LINES = 100_000;
const KEPT_SECONDS = 24 * 3600;

/** A process that dies while it works blocks its keys this long. The longest operation is a request to a device: 60 s,
 * and some for its subscription and its publish. */
const RUNNING_SECONDS = 90;

/**
 * The hooks of a POST route. After validation, so that a request that was never carried out takes no key; requests
 * without the header pay one look at it.
 *
 * The answers of createKey and createWebhook hold secrets. So answers are kept encrypted, under a key that is made from
 * the caller's API key and so never in the store: who reads the store learns no API key. What was sent is kept as a
 * digest under such a key, too: a plain one would tell whether a guess at a payload is right.
 */
export function idempotencyHooks(claims: ExpiringKeys) {
  return {
    preHandler(request, reply, done) {
      const key = request.headers["idempotency-key"];
      if (key === undefined) return done();
      const scope = scopeOf(request, String(key));
      if (request.body instanceof Readable) {
        request.onceALine = onceALine(claims, scope);
        return done();
      }
      begin(claims, request, scope).then((answer) => (answer ? replay(reply, answer) : done()), done);
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

/** @throws Problem of a key that is none */
function scopeOf({ headers, method, originalUrl }: FastifyRequest, key: string): unknown[] {
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw fieldProblem("invalid_request", "header.idempotency-key", "must be 1 to 255 printable ASCII characters");
  }
  return [headers.authorization ?? "", method, originalUrl, key];
}

async function begin(
  claims: ExpiringKeys,
  request: FastifyRequest,
  scope: unknown[],
): Promise<StoredResponse | undefined> {
  const begun = await take(claims, scope, bodyDigest(request));
  if ("payload" in begun) return begun;
  request.idempotency = begun;
  return undefined;
}

function onceALine(claims: ExpiringKeys, scope: unknown[]): OnceALine {
  return async (index, text, work) => {
    if (index >= MAX_KEYED_LINES) {
      const message = `with an Idempotency-Key a stream may have ${MAX_KEYED_LINES} lines`;
      throw fieldProblem("invalid_request", "", message);
    }
    const begun = await take(claims, [...scope, index], hash("sha256", text));
    if ("payload" in begun) return begun.payload;
    const payload = await work();
    const { status } = JSON.parse(payload) as { status: number };
    // In vain while the store is away: the work is done, and the result must be seen.
    await keep(claims, begun, { status, payload }).catch(() => undefined);
    return payload;
  };
}

/** Takes the claim, or gives the answer that is there already. @throws Problem */
async function take(claims: ExpiringKeys, scope: unknown[], digest: string): Promise<Turn | StoredResponse> {
  const text = JSON.stringify(scope);
  const body = createHmac("sha256", hash("sha256", `body ${text}`, "buffer"))
    .update(digest)
    .digest("base64url");
  const claim = `idempotency-${hash("sha256", text)}`;
  const secret = hash("sha256", `answer ${text}`, "buffer");
  const found = await claims
    .setIfAbsent(claim, JSON.stringify({ body } satisfies Entry), RUNNING_SECONDS)
    .catch((cause) => {
      const headers = { "retry-after": "1" };
      throw new Problem("store_unavailable", "the idempotency key could not be checked", { headers, cause });
    });
  if (found === undefined) return { claim, body, secret };
  const entry: Entry = JSON.parse(found);
  // Claims of earlier bridges, which last a day, have the digest as it is.
  if (entry.body !== body && entry.body !== digest) {
    throw new Problem("idempotency_mismatch", "this Idempotency-Key was used with another body");
  }
  if (!entry.answer) {
    const detail = "the first request with this Idempotency-Key has not been answered yet";
    throw new Problem("idempotency_in_progress", detail, { headers: { "retry-after": "1" } });
  }
  return unseal(entry.answer, secret);
}

const CIPHER = "aes-256-gcm";
const IV_BYTES = 12;
const TAG_BYTES = 16;

function seal(answer: StoredResponse, secret: Buffer): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, secret, iv);
  const text = Buffer.concat([cipher.update(JSON.stringify(answer)), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), text]).toString("base64");
}

function unseal(sealed: string, secret: Buffer): StoredResponse {
  const bytes = Buffer.from(sealed, "base64");
  const text = bytes.subarray(IV_BYTES + TAG_BYTES);
  const cipher = createDecipheriv(CIPHER, secret, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
  cipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  return JSON.parse(Buffer.concat([cipher.update(text), cipher.final()]).toString());
}

/** Bytes are published together with their content type, so there the two make the request. */
function bodyDigest(request: FastifyRequest): string {
  if (!Buffer.isBuffer(request.body)) return hash("sha256", request.rawJson);
  const contentType = Buffer.from(`${request.headers["content-type"] ?? ""}\n`);
  return hash("sha256", Buffer.concat([contentType, request.body]));
}

function finish(claims: ExpiringKeys, request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<void> {
  return keep(claims, request.idempotency!, {
    status: reply.statusCode,
    contentType: headerOf(reply, "content-type"),
    location: headerOf(reply, "location"),
    payload: typeof payload === "string" ? payload : "",
  });
}

/** Keeps the answer, unless another try may end better: 5xx and 429. */
function keep(claims: ExpiringKeys, { claim, body, secret }: Turn, answer: StoredResponse): Promise<void> {
  if (answer.status >= 500 || answer.status === 429) return claims.release(claim);
  const entry: Entry = { body, answer: seal(answer, secret) };
  return claims.put(claim, JSON.stringify(entry), KEPT_SECONDS);
}

function headerOf(reply: FastifyReply, name: string): string | undefined {
  const value = reply.getHeader(name);
  return value === undefined ? undefined : String(value);
}

function replay(reply: FastifyReply, { status, contentType, location, payload }: StoredResponse): void {
  reply.code(status).header("idempotent-replayed", "true");
  if (contentType !== undefined) reply.header("content-type", contentType);
  if (location !== undefined) reply.header("location", location);
  reply.send(payload);
}
