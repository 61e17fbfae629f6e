/** Live messages: one stream of Server-Sent Events after another, without an end. */

import { CausewayConnectionError } from "./errors.ts";
import { EventParser } from "./event-source.ts";
import { parseEvent } from "./payload.ts";
import { isTransient, waitMs } from "./retry.ts";
import { sleep, TimeLimit } from "./time-limit.ts";
import type { Transport } from "./transport.ts";
import type { CloudEvent } from "./types.ts";

export interface StreamOptions {
  /** Ends the loop over the stream. */
  signal?: AbortSignal | undefined;
  /** Called when the connection was lost and is about to be opened again. Messages in between are missed. */
  onReconnect?: ((cause: unknown) => void) | undefined;
  /** Milliseconds without a byte after which the connection counts as lost. The bridge sends a heartbeat every 15 s. */
  silenceMs?: number | undefined;
}

const MAX_WAIT_MS = 30_000;
const SILENCE_MS = 45_000;

/**
 * Yields the messages that match one of the filters, until the caller leaves the loop or aborts. The first connection
 * fails as a call does, after the retries of the client; a lost one is opened again until it succeeds, unless the
 * bridge refuses it for good.
 */
export async function* stream(
  transport: Transport,
  filters: string[],
  { signal, onReconnect, silenceMs = SILENCE_MS }: StreamOptions = {},
): AsyncGenerator<CloudEvent, void, undefined> {
  const path = `/v1/stream?${new URLSearchParams(filters.map((filter): [string, string] => ["topic", filter]))}`;
  let connected = false;
  for (let failures = 0; !signal?.aborted; ) {
    const limit = new TimeLimit(signal, silenceMs, "the stream is silent");
    let cause: unknown = new CausewayConnectionError("the bridge ended the stream");
    try {
      const response = await transport.open(path, { signal: limit.signal });
      connected = true;
      failures = 0;
      yield* events(response.body!, limit);
    } catch (error) {
      cause = error;
    } finally {
      // Also when the caller leaves the loop: the connection is closed.
      limit.abort();
      limit.end();
    }
    if (signal?.aborted) return;
    failures++;
    if (!mayReconnect(cause) || (!connected && failures > transport.retries)) throw cause;
    if (connected) onReconnect?.(cause);
    await sleep(waitMs(cause, failures, MAX_WAIT_MS), signal).catch(() => undefined);
  }
}

/** A silent connection, which ended by its time limit, is as good as a broken one. */
function mayReconnect(cause: unknown): boolean {
  return cause instanceof CausewayConnectionError || isTransient(cause);
}

async function* events(
  body: ReadableStream<Uint8Array>,
  limit: TimeLimit,
): AsyncGenerator<CloudEvent, void, undefined> {
  const parser = new EventParser();
  const reader = body.getReader();
  for (;;) {
    limit.restart();
    const { done, value } = await reader.read().catch((error: unknown) => {
      throw limit.signal.aborted
        ? limit.signal.reason
        : new CausewayConnectionError("the stream broke off", { cause: error });
    });
    if (done) return;
    // The caller may take its time; only the bridge is watched.
    limit.pause();
    for (const data of parser.push(value)) yield parseEvent(data);
  }
}
