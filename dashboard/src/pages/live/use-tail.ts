/** Connects a tail to the stream of the bridge, and draws at most once a frame. */
import { type Signal, useSignal } from "@preact/signals";
import { payloadText } from "causeway-mqtt/client";
import { useEffect, useMemo } from "preact/hooks";
import { createClient } from "../../data/causeway.ts";
import { recoveryMs } from "../../data/recovery.ts";
import { LiveTail } from "./tail.ts";

/** Text that changes faster cannot be read. */
const DRAW_EVERY_MS = 100;
const TICK_MS = 1_000;

export interface TailHandle {
  tail: LiveTail;
  /** Changes when there is something to draw; a component that reads it is drawn again. */
  version: Signal<number>;
  /** Connects again at once after a failure. */
  retry(): void;
}

/** @param filters none: no connection */
export function useTail(filters: readonly string[]): TailHandle {
  const version = useSignal(0);
  const attempt = useSignal(0);
  const key = JSON.stringify(filters);
  const tail = useMemo(() => {
    const draw = drawer(() => version.value++);
    return new LiveTail({ textOf: payloadText, onChange: draw, now: Date.now });
  }, [key]);
  const current = attempt.value;
  useEffect(() => {
    const topics = JSON.parse(key) as string[];
    if (topics.length === 0) return;
    const end = new AbortController();
    let again: ReturnType<typeof setTimeout> | undefined;
    void follow(tail, topics, end.signal).then((error) => {
      const waitMs = error && recoveryMs(error);
      if (waitMs !== undefined) again = setTimeout(() => attempt.value++, waitMs);
    });
    const timer = setInterval(() => tail.tick(), TICK_MS);
    return () => {
      clearInterval(timer);
      clearTimeout(again);
      end.abort();
    };
  }, [tail, key, current]);
  return {
    tail,
    version,
    retry() {
      tail.connection = { state: "connecting" };
      attempt.value++;
    },
  };
}

/** Returns why the messages ended, unless they were left. */
async function follow(tail: LiveTail, topics: string[], signal: AbortSignal): Promise<Error | undefined> {
  // Only the response tells that a lost connection is back: the next message may take hours.
  const send: typeof fetch = async (...request) => {
    const response = await fetch(...request);
    if (response.ok) tail.opened();
    return response;
  };
  // A stream has no limit of time: with a retry, a refusal that asks for a minute's wait would show nothing for it.
  const client = createClient(send, 0);
  try {
    for await (const event of client.stream(topics, { signal, onReconnect: () => tail.lost() })) tail.add(event);
  } catch (error) {
    if (signal.aborted) return undefined;
    tail.failed(error as Error);
    return error as Error;
  }
  return undefined;
}

/** Draws in the next frame, and then not for a while, however often it is called. */
function drawer(draw: () => void): () => void {
  let isDue = false;
  let drawnAt = 0;
  const frame = (at: number) => {
    if (at - drawnAt < DRAW_EVERY_MS) {
      requestAnimationFrame(frame);
      return;
    }
    isDue = false;
    drawnAt = at;
    draw();
  };
  return () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(frame);
  };
}
