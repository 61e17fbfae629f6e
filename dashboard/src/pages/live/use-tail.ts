/** Connects a tail to the stream of the bridge, and draws at most once a frame. */
import { type Signal, useSignal } from "@preact/signals";
import { payloadText } from "causeway-mqtt/client";
import { useEffect, useMemo } from "preact/hooks";
import { createClient } from "../../data/causeway.ts";
import { LiveTail } from "./tail.ts";

/** Text that changes faster cannot be read. */
const DRAW_EVERY_MS = 100;
const TICK_MS = 1_000;

export interface TailHandle {
  tail: LiveTail;
  /** Changes when there is something to draw; a component that reads it is drawn again. */
  version: Signal<number>;
  /** Connects again after the bridge refused the stream. */
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
    void follow(tail, topics, end.signal);
    const timer = setInterval(() => tail.tick(), TICK_MS);
    return () => {
      clearInterval(timer);
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

async function follow(tail: LiveTail, topics: string[], signal: AbortSignal): Promise<void> {
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
    if (!signal.aborted) tail.failed(error as Error);
  }
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
