/**
 * The stored requests that this instance knows: their response topics, the ones without a response, and the time at
 * which each is dropped. The receiver subscribes to the topics, so this part is independent of publishing.
 */
import type { RecordCache } from "../store/record-cache.ts";
import {
  dropAt,
  failRecord,
  isWaiting,
  pastKeeping,
  type RequestRecord,
  requestFault,
  untilSweep,
} from "./request-record.ts";
import { type Failed, ShutForGood } from "./stored-publish.ts";

export interface PendingRequestsOptions {
  cache: RecordCache<RequestRecord>;
  /** Stored responses, which are removed before their request. */
  responses: { remove(id: string): Promise<boolean> };
  /** Called for a request that an older version stored and this version would not accept. */
  onSetAside(id: string, reason: string): void;
}

export class PendingRequests {
  /** Requests without a response, by response topic, in order of creation. */
  readonly #waiting = new Map<string, Map<string, RequestRecord>>();
  /** Requests whose filters are kept, answered or not: otherwise each request would need a new subscription. */
  readonly #cached = new Map<string, RequestRecord>();
  readonly #listeners: (() => void)[] = [];
  #topics: string[] = [];
  #sweep: NodeJS.Timeout | undefined;

  constructor(private readonly options: PendingRequestsOptions) {}

  /** The record cache must have been started. */
  start(): void {
    this.options.cache.onChange((ids) => this.#follow(ids));
    this.#follow(new Set(this.options.cache.all().map(({ id }) => id)));
    this.#sweepNext();
  }

  stop(): void {
    clearTimeout(this.#sweep);
  }

  /** Filters on which responses are expected. */
  get topics(): readonly string[] {
    return this.#topics;
  }

  /** Calls `listener` when the {@link topics} have changed. */
  onTopics(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Number of requests without a response. */
  get size(): number {
    let count = 0;
    for (const requests of this.#waiting.values()) count += requests.size;
    return count;
  }

  /** Returns the requests that await a response on this topic, in order of creation. */
  waitingOn(topic: string): RequestRecord[] {
    return [...(this.#waiting.get(topic)?.values() ?? [])];
  }

  /** Reads all requests from the store again. */
  reload(): Promise<void> {
    return this.options.cache.reload();
  }

  /**
   * Ensures that the response topic of a request is among the {@link topics}, even if another instance has just
   * accepted the request.
   * @throws ShutForGood if the request has failed: the publishing instance ended before the outbox recorded the failure
   */
  async ensureCached(id: string): Promise<void> {
    await this.options.cache.ensureCached(id);
    const failed = this.options.cache.get(id)?.failed;
    if (failed) throw new ShutForGood(failed.error);
  }

  /** Returns the filter subscribed for the response; undefined for an unknown request. */
  filterOf(id: string): string | undefined {
    return this.options.cache.get(id)?.filter;
  }

  /**
   * Records that a message could not be published, if it is that of a request. Rejects if the call must be repeated.
   */
  async failed({ id }: { id: string }, { at, error, sent = false }: Omit<Failed, "outcome">): Promise<void> {
    if (!id.startsWith("req_")) return;
    await this.options.cache.update(id, (current) => failRecord(current, { at, error, sent }));
  }

  /** Aligned to the clock: all instances drop a topic at the same moment and so agree on the subscriptions. */
  #sweepNext(): void {
    this.#sweep = setTimeout(() => {
      this.#sweepNext();
      void this.#remove();
    }, untilSweep(Date.now())).unref();
  }

  #follow(ids: ReadonlySet<string>): void {
    for (const id of ids) {
      const before = this.#cached.get(id);
      if (before) this.#unindex(before);
      const now = this.options.cache.get(id);
      if (now && Date.now() < dropAt(now)) this.#index(now);
      const fault = now && isWaiting(now) && requestFault(now);
      if (fault) this.options.onSetAside(id, fault);
    }
    this.#announceTopics();
  }

  #index(record: RequestRecord): void {
    this.#cached.set(record.id, record);
    if (!isWaiting(record)) return;
    const requests = this.#waiting.get(record.responseTopic) ?? new Map<string, RequestRecord>();
    this.#waiting.set(record.responseTopic, requests.set(record.id, record));
  }

  #unindex({ id, responseTopic }: RequestRecord): void {
    this.#cached.delete(id);
    const requests = this.#waiting.get(responseTopic);
    if (requests?.delete(id) && requests.size === 0) this.#waiting.delete(responseTopic);
  }

  #announceTopics(): void {
    const topics = [...new Set([...this.#cached.values()].map(({ filter }) => filter))].sort();
    if (JSON.stringify(topics) === JSON.stringify(this.#topics)) return;
    this.#topics = topics;
    for (const listener of this.#listeners) listener();
  }

  async #remove(): Promise<void> {
    const now = Date.now();
    for (const record of this.#cached.values()) if (now >= dropAt(record)) this.#unindex(record);
    this.#announceTopics();
    const { cache, responses } = this.options;
    for (const { id } of pastKeeping(cache.all(), now)) {
      try {
        await responses.remove(id);
        if (!(await cache.remove(id))) return; // another instance was faster
      } catch {
        return; // the store is unavailable: the next sweep retries
      }
    }
  }
}
