/** Calls a webhook once and returns the result. Never throws, never follows a redirect. */
import { LRUCache } from "lru-cache";
// The index of undici also loads its fetch, WebSocket and caches: 9 MB and 0.1 s of CPU at every start.
import Agent from "undici/lib/dispatcher/agent.js";
import { AwaitableCondition } from "../../lib/awaitable-condition.ts";
import type { AttemptResult, ErrorKind } from "../attempt.ts";
import { type Call, Exchange } from "./exchange.ts";
import { type AddressGuard, ipLiteral } from "./ssrf-guard.ts";

/** TLS settings in PEM: a private CA, and the client certificate of a webhook with mutual TLS. */
export interface Tls {
  ca?: string;
  cert?: string;
  key?: string;
}

export interface SenderOptions {
  guard: Pick<AddressGuard, "check" | "lookup">;
  /** Milliseconds for DNS, TCP and TLS together. */
  connectTimeoutMs?: number;
  /** Bytes of a response that are kept. */
  maxResponseBytes?: number;
  tls?: Tls;
}

export interface Sender {
  send(call: Call): Promise<AttemptResult>;
  /** Waits at most `graceMs` for running calls, then aborts the others. */
  close(graceMs?: number): Promise<void>;
}

const MAX_RESPONSE_HEADER_BYTES = 16 * 1_024;
const CONNECTIONS_PER_ORIGIN = 256;

export function createSender(options: SenderOptions): Sender {
  const { guard, connectTimeoutMs = 5_000, maxResponseBytes = 1_024 } = options;
  const agent = new Agent({
    connections: CONNECTIONS_PER_ORIGIN,
    pipelining: 1, // a slow response would delay the calls after it
    maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
    // One timer per call covers both.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: {
      lookup: guard.lookup,
      timeout: connectTimeoutMs,
      // Node's default of 250 ms for each address but the last is too short for a receiver on another continent.
      autoSelectFamilyAttemptTimeout: Math.max(250, Math.floor(connectTimeoutMs / 4)),
      ...options.tls,
    },
  });
  const targetOf = memoTargets(guard);
  let running = 0;
  const idle = new AwaitableCondition(() => running === 0);
  let closing: Promise<void> | undefined;

  async function close(graceMs: number): Promise<void> {
    await idle.within(graceMs);
    // Not agent.close(): it forgets the connections, so a later destroy() would not end running calls.
    await agent.destroy(new Error("the sender was closed"));
  }

  return {
    send(call) {
      const target = closing ? CLOSED : targetOf(call.url);
      if ("error" in target) return Promise.resolve({ ...target, durationMs: 0 });
      running++;
      return new Promise((done) => {
        const { method = "POST", headers, body } = call;
        const limits = { ...call, maxResponseBytes: call.maxResponseBytes ?? maxResponseBytes };
        const exchange = new Exchange(limits, (result) => {
          done(result);
          running--;
          idle.check();
        });
        try {
          agent.dispatch({ ...target, method, headers, body }, exchange);
        } catch (error) {
          exchange.onResponseError(undefined, error);
        }
      });
    },
    close(graceMs = 10_000) {
      closing ??= close(graceMs);
      return closing;
    },
  };
}

type Target = { origin: string; path: string } | { error: ErrorKind; detail: string };
const CLOSED: Target = { error: "network_error", detail: "the sender was closed" };

/**
 * Returns the parts of a URL, or the error that forbids the call. `net.connect` does no look-up for an IP literal, so
 * the guard checks it here. Its verdict never changes, so the result is cached.
 */
function memoTargets(guard: Pick<AddressGuard, "check">): (url: string) => Target {
  const known = new LRUCache<string, Target>({ max: 10_000 });
  return (url) => {
    const hit = known.get(url);
    if (hit) return hit;
    const target = readTarget(url, guard);
    known.set(url, target);
    return target;
  };
}

function readTarget(text: string, guard: Pick<AddressGuard, "check">): Target {
  if (!URL.canParse(text)) return { error: "network_error", detail: "not a URL" };
  const { protocol, hostname, origin, pathname, search } = new URL(text);
  if (protocol !== "http:" && protocol !== "https:") return { error: "network_error", detail: "not an http(s) URL" };
  const literal = ipLiteral(hostname);
  const rule = literal === undefined ? undefined : guard.check(literal);
  if (rule !== undefined) return { error: "blocked_address", detail: `${hostname}: ${rule}` };
  return { origin, path: pathname + search };
}
