/** One sender shared by all webhooks, plus one per client certificate or private CA: connections must not mix. */

import { LRUCache } from "lru-cache";
import type { AttemptResult } from "../attempt.ts";
import { createSender, type Sender, type SenderOptions, type Tls } from "./client.ts";
import type { Call } from "./exchange.ts";

export interface TlsCall extends Call {
  tls?: Tls;
}

export interface Senders {
  send(call: TlsCall): Promise<AttemptResult>;
  /** Number of senders with their own TLS identity. */
  readonly size: number;
  /** Waits at most `graceMs` for running calls, then aborts the others. */
  close(graceMs?: number): Promise<void>;
}

export interface SendersOptions extends Omit<SenderOptions, "tls"> {
  /** Maximum number of TLS identities at once; beyond it the least recently used one is closed. */
  maxIdentities?: number;
  /** Milliseconds after which an unused identity is closed: its webhook is gone or has another one. */
  idleMs?: number;
}

/** No call takes longer, so calls of a dropped identity can still finish. */
const MAX_CALL_MS = 61_000;

export function createSenders({ maxIdentities = 500, idleMs = 60_000, ...options }: SendersOptions): Senders {
  const usual = createSender(options);
  /** Keyed by TLS settings. */
  const special = new LRUCache<string, Sender>({
    max: maxIdentities,
    ttl: idleMs,
    updateAgeOnGet: true,
    dispose: (sender) => void sender.close(MAX_CALL_MS),
  });
  const timer = setInterval(() => special.purgeStale(), Math.max(1, idleMs / 2)).unref();

  function senderFor(tls: Tls | undefined): Sender {
    if (!tls) return usual;
    const key = JSON.stringify([tls.ca, tls.cert, tls.key]);
    const known = special.get(key);
    if (known) return known;
    const sender = createSender({ ...options, tls });
    special.set(key, sender);
    return sender;
  }

  return {
    send: ({ tls, ...call }) => senderFor(tls).send(call),
    get size() {
      return special.size;
    },
    async close(graceMs) {
      clearInterval(timer);
      await Promise.all([usual, ...special.values()].map((sender) => sender.close(graceMs)));
      special.clear();
    },
  };
}
