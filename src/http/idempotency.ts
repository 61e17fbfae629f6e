/** `Idempotency-Key`: a repeated POST gets the response of the first one, and the work is done once. */
import { createCipheriv, createDecipheriv, createHmac, hash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest, RouteShorthandOptions } from "fastify";
import type { ExpiringKeys } from "../store/store.ts";
import { credentialOf } from "./auth.ts";
import { fieldProblem, Problem } from "./problem.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Set while this request holds its idempotency key. */
    idempotency: HeldKey | null;
    /** Set if the body is newline-delimited JSON: each line has its own idempotency key. */
    onceALine: OnceALine | null;
  }
}

/** The part of the store's expiring keys that this file needs. */
export type IdempotencyKeys = Pick<ExpiringKeys, "setIfAbsent" | "put" | "release">;

/** Value of an expiring key: the keyed digest of the request's body and, once available, the encrypted response. */
interface KeyEntry {
  body: string;
  answer?: string;
}

interface KeptResponse {
  status: number;
  contentType?: string | undefined;
  location?: string | undefined;
  payload: string;
}

/** The expiring key that a request holds, and the secret that encrypts its response. */
interface HeldKey {
  key: string;
  body: string;
  secret: Buffer;
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
const KEPT_SECONDS = 24 * 3600;

/**
 * How long a process that dies during the work blocks its keys. The longest operation is a request to a device: 60 s,
 * plus some time for its subscription and its publish.
 */
const RUNNING_SECONDS = 90;

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

/** Takes the idempotency key, or returns the existing response. @throws Problem */
async function take(expiringKeys: IdempotencyKeys, scope: unknown[], digest: string): Promise<HeldKey | KeptResponse> {
  const text = JSON.stringify(scope);
  const body = createHmac("sha256", hash("sha256", `body ${text}`, "buffer"))
    .update(digest)
    .digest("base64url");
  const key = `idempotency-${hash("sha256", text)}`;
  const secret = hash("sha256", `answer ${text}`, "buffer");
  const found = await expiringKeys
    .setIfAbsent(key, JSON.stringify({ body } satisfies KeyEntry), RUNNING_SECONDS)
    .catch((cause) => {
      const headers = { "retry-after": "1" };
      throw new Problem("store_unavailable", "the idempotency key could not be checked", { headers, cause });
    });
  if (found === undefined) return { key, body, secret };
  const entry: KeyEntry = JSON.parse(found);
  if (entry.body !== body) {
    throw new Problem("idempotency_mismatch", "this Idempotency-Key was used with another body");
  }
  if (!entry.answer) {
    const detail = "the first request with this Idempotency-Key is still in progress";
    throw new Problem("idempotency_in_progress", detail, { headers: { "retry-after": "1" } });
  }
  return decrypt(entry.answer, secret);
}

const CIPHER = "aes-256-gcm";
const IV_BYTES = 12;
const TAG_BYTES = 16;

function encrypt(answer: KeptResponse, secret: Buffer): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, secret, iv);
  const text = Buffer.concat([cipher.update(JSON.stringify(answer)), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), text]).toString("base64");
}

function decrypt(encrypted: string, secret: Buffer): KeptResponse {
  const bytes = Buffer.from(encrypted, "base64");
  const text = bytes.subarray(IV_BYTES + TAG_BYTES);
  const cipher = createDecipheriv(CIPHER, secret, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
  cipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  return JSON.parse(Buffer.concat([cipher.update(text), cipher.final()]).toString());
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

/** Stores the response, unless a retry may succeed: 5xx and 429 release the key. */
function keep(expiringKeys: IdempotencyKeys, { key, body, secret }: HeldKey, answer: KeptResponse): Promise<void> {
  if (answer.status >= 500 || answer.status === 429) return expiringKeys.release(key);
  const entry: KeyEntry = { body, answer: encrypt(answer, secret) };
  return expiringKeys.put(key, JSON.stringify(entry), KEPT_SECONDS);
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
