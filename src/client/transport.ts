/** The calls as HTTP: authorization, idempotency keys, time limits and retries. */
import createClient, { type Client, defaultPathSerializer } from "openapi-fetch";
import type { paths } from "../http/contract/generated.ts";
import { CausewayConnectionError, CausewayError, errorOf } from "./errors.ts";
import { isTransient, waitMs } from "./retry.ts";
import { sleep, TimeLimit } from "./time-limit.ts";
import type { ActOptions } from "./types.ts";

export interface TransportOptions {
  url: string;
  /** Absent: the browser authenticates with the cookie of its session. */
  apiKey: string | undefined;
  fetch: typeof fetch;
  retries: number;
  timeoutMs: number;
}

const MAX_WAIT_MS = 8_000;
/** Statuses whose responses cannot have a body. */
const BODILESS = [204, 205, 304];

export class Transport {
  /** Typed calls of the contract. Every call passes {@link settings}. */
  readonly api: Client<paths>;
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = { ...options, url: options.url.replace(/\/+$/, "") };
    this.api = createClient<paths>({ baseUrl: this.#options.url, pathSerializer: serializePath });
  }

  get retries(): number {
    return this.#options.retries;
  }

  get timeoutMs(): number {
    return this.#options.timeoutMs;
  }

  /** Settings of one typed call: `api.GET(path, { …, ...settings(options) })`. */
  settings(options: ActOptions = {}): { fetch: (request: Request) => Promise<Response> } {
    return { fetch: (request) => this.#call(request, options) };
  }

  /**
   * Sends one request, without a time limit and without retries, and returns the response with its body unread.
   * @param path with its query
   */
  async open(path: string, { headers, ...init }: RequestInit & { signal: AbortSignal }): Promise<Response> {
    const authorized = { ...this.#authorization(), ...(headers as Record<string, string>) };
    return this.#reach(init.signal, async () => {
      const response = await this.#options.fetch(this.#options.url + path, { ...init, headers: authorized });
      if (!response.ok) throw await errorOf(response);
      return response;
    });
  }

  async #call(request: Request, { signal, timeoutMs = this.timeoutMs, idempotencyKey }: ActOptions): Promise<Response> {
    const { method, headers } = request;
    for (const [name, value] of Object.entries(this.#authorization())) headers.set(name, value);
    if (method === "POST") headers.set("idempotency-key", idempotencyKey ?? randomKey());
    const body = method === "GET" ? undefined : await request.arrayBuffer();
    const limit = new TimeLimit(signal, timeoutMs, `no response within ${timeoutMs} ms`);
    const init = { method, headers, ...(body?.byteLength && { body }), signal: limit.signal };
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          return await this.#attempt(request.url, init);
        } catch (error) {
          if (attempt > this.retries || !isTransient(error)) throw error;
          const ms = waitMs(error, attempt, MAX_WAIT_MS);
          // Waiting for an attempt that cannot start in time would only hide the cause.
          if (ms >= limit.remainingMs) throw error;
          await sleep(ms, limit.signal);
        }
      }
    } finally {
      limit.end();
    }
  }

  #authorization(): Record<string, string> {
    const { apiKey } = this.#options;
    return apiKey === undefined ? { "x-causeway-request": "1" } : { authorization: `Bearer ${apiKey}` };
  }

  /** Reads the body as well: a connection that breaks in the middle of it counts as a failed attempt. */
  #attempt(url: string, init: RequestInit & { signal: AbortSignal }): Promise<Response> {
    return this.#reach(init.signal, async () => {
      const response = await this.#options.fetch(url, init);
      if (!response.ok) throw await errorOf(response);
      const { status, headers } = response;
      const body = await response.arrayBuffer();
      return new Response(BODILESS.includes(status) ? null : body, { status, headers });
    });
  }

  async #reach<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof CausewayError) throw error;
      if (signal.aborted) throw signal.reason;
      throw new CausewayConnectionError(`${this.#options.url} cannot be reached: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
}

/** The message of the innermost cause: `fetch` says only "fetch failed". */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return messageOf(error.cause);
  return error instanceof AggregateError ? error.errors.map(messageOf).join("; ") : error.message;
}

/** `crypto.randomUUID` is missing on pages without TLS, which a bridge in a local network often serves. */
export function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Refuses values that URLs remove: the call would reach another resource, such as the list instead of its member. */
function serializePath(path: string, params: Record<string, unknown>): string {
  for (const [name, value] of Object.entries(params)) {
    if (typeof value !== "string" || /^\.{0,2}$/.test(value)) {
      throw new TypeError(`${name} must not be ${value === "" ? "empty" : String(value)}`);
    }
  }
  return defaultPathSerializer(path, params);
}
