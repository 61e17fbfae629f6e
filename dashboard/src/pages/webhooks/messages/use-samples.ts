/** The last real messages under topic filters: from the deliveries that are kept, and from a live tail. */
import { isCausewayError } from "causeway-mqtt/client";
import { useEffect, useRef, useState } from "preact/hooks";
import { causeway } from "../../../data/causeway.ts";
import { recoveryMs } from "../../../data/recovery.ts";
import { useRights } from "../../../data/session.tsx";
import { MAX_SAMPLES, mergeSamples, type Sample, sampleOfEvent, samplesOfDeliveries, withContent } from "./sample.ts";

/** Filters of which deliveries are read, each by a call. */
const MAX_FILTERS = 3;
const PARALLEL_READS = 6;
/** New messages enter the list at most this often. */
const FLUSH_MS = 1_000;

export interface Samples {
  /** Newest first. */
  items: Sample[];
  isLoading: boolean;
  /** Why the stored messages could not be read. */
  error: Error | undefined;
  /** Messages that arrived since the list was full; {@link take} shows them. */
  newer: number;
  take(): void;
}

interface SampleOptions {
  /** How long to listen for live messages; absent: until the page closes. */
  tailMs?: number;
  /** Whether to read the content of stored messages too. */
  withContent?: boolean;
}

/** @param filters empty: nothing is read */
export function useSamples(filters: readonly string[], options: SampleOptions = {}): Samples {
  const { can, read } = useRights();
  const [items, setItems] = useState<Sample[]>([]);
  const [pending, setPending] = useState<Sample[]>([]);
  const [isLoading, setLoading] = useState(filters.length > 0);
  const [error, setError] = useState<Error>();
  const key = filters.join("\n");
  const mayListen = can("read") && read.length > 0;
  const mayLookUp = can("webhooks", "view");
  const { tailMs, withContent: reads = false } = options;
  useEffect(() => {
    setItems([]);
    setPending([]);
    setLoading(key !== "");
    setError(undefined);
    if (key === "") return;
    const ended = new AbortController();
    const { signal } = ended;
    const add = (more: Sample[]) => !signal.aborted && setItems((now) => mergeSamples(now, more));
    const wanted = key.split("\n");
    const addNewer = (more: Sample[]) => !signal.aborted && setPending((now) => mergeSamples(now, more));
    const fail = (failure: Error | undefined) => !signal.aborted && setError(failure);
    void (async () => {
      // First the stored ones, then the live ones: the same message has another id in a stream, and would be here twice.
      let reading: Reading | undefined;
      let waitMs: number | undefined;
      do {
        if (waitMs !== undefined) await sleep(waitMs, signal);
        if (signal.aborted) return;
        reading = mayLookUp ? lookUp(wanted, reads, signal, add) : undefined;
        const failure = await reading?.listed.then(
          () => undefined,
          (error: Error) => error,
        );
        fail(failure);
        waitMs = failure && recoveryMs(failure);
        if (waitMs !== undefined && !signal.aborted) setLoading(false);
      } while (waitMs !== undefined);
      const tail = mayListen && !signal.aborted ? listen(wanted, tailMs, signal, addNewer) : undefined;
      // A live tail without an end says nothing about the loading.
      await Promise.allSettled([reading?.done.catch(fail), tailMs === undefined ? undefined : tail]);
      if (!signal.aborted) setLoading(false);
    })();
    return () => ended.abort();
  }, [key, mayListen, mayLookUp, tailMs, reads]);
  const take = () => {
    setItems((now) => mergeSamples(now, pending));
    setPending([]);
  };
  // Until the list is full, new messages enter it by themselves. A full one stays, so that results can be compared.
  const isOpen = items.length < MAX_SAMPLES && pending.length > 0;
  const latest = useRef(take);
  latest.current = take;
  useEffect(() => {
    if (isOpen) latest.current();
  }, [isOpen]);
  return { items, isLoading, error, newer: pending.length, take };
}

type Reading = ReturnType<typeof lookUp>;

/** Resolves after the wait, or when the page closes. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}

/** Reads the newest deliveries under each filter, then, if wanted, the content of their messages. */
function lookUp(filters: string[], reads: boolean, signal: AbortSignal, add: (samples: Sample[]) => void) {
  const listed = Promise.all(
    filters.slice(0, MAX_FILTERS).map((topic) => causeway.deliveries.list({ topic, limit: 250 }, { signal }).page()),
  ).then((pages) => {
    const found = mergeSamples(
      pages.flatMap(({ items }) => samplesOfDeliveries(items)),
      [],
    );
    add(found);
    return found;
  });
  const done = listed.then(async (found) => {
    const queue = reads ? [...found] : [];
    const worker = async () => {
      for (let next = queue.shift(); next; next = queue.shift()) add([await readContent(next, signal)]);
    };
    await Promise.all(Array.from({ length: PARALLEL_READS }, worker));
  });
  // A failure of the list is handled where `listed` is awaited; `done` fails with it.
  done.catch(() => undefined);
  return { listed, done };
}

/** Returns the sample with its content; without it if the message is no longer kept. */
export async function readContent(sample: Sample, signal?: AbortSignal): Promise<Sample> {
  try {
    return withContent(sample, await causeway.messages.get(sample.id, { signal }));
  } catch (error) {
    if (isCausewayError(error, "not_found", "insufficient_scope", "forbidden_topic"))
      return { ...sample, isUnreadable: true };
    throw error;
  }
}

/** Collects live messages, and passes them on at most every {@link FLUSH_MS}. */
async function listen(
  filters: string[],
  tailMs: number | undefined,
  page: AbortSignal,
  add: (samples: Sample[]) => void,
): Promise<void> {
  const signal = tailMs === undefined ? page : AbortSignal.any([page, AbortSignal.timeout(tailMs)]);
  let arrived: Sample[] = [];
  const flush = () => {
    if (arrived.length > 0) add(arrived);
    arrived = [];
  };
  const timer = setInterval(flush, Math.min(FLUSH_MS, tailMs ?? FLUSH_MS));
  try {
    for await (const event of causeway.stream(filters, { signal })) {
      arrived.push(sampleOfEvent(event));
      if (arrived.length > MAX_SAMPLES) arrived.shift();
    }
  } catch {
    // Without a tail, the stored messages have to do.
  } finally {
    clearInterval(timer);
    if (!page.aborted) flush();
  }
}
