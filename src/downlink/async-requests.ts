/**
 * `POST /v1/requests`, asynchronous: the request is stored, published when the broker is there, and its answer is
 * received like any message from a device: durable before it is acknowledged, also when it comes while no instance
 * runs. Any instance may take it up.
 */
import { Problem } from "../errors.ts";
import type { Message } from "../message.ts";
import type { RecordCache } from "../store/record-cache.ts";
import { findRequest, type Prepared, responseJson } from "./request.ts";
import {
  cancelRecord,
  dropAt,
  type Failure,
  failRecord,
  isWaiting,
  pastKeeping,
  type RequestRecord,
  requestFault,
  requireOpen,
  stateJson,
  untilSweep,
} from "./request-record.ts";
import { type Accept, ShutForGood } from "./stored-publish.ts";

export type { RequestRecord };

/** The answer, apart from the record: it may be large, and records are held in memory. */
export interface StoredResponse {
  json: string;
}

/** The store of answers; see the store's `Records`. */
export interface Responses {
  create(id: string, response: StoredResponse): Promise<boolean>;
  get(id: string): Promise<{ value: StoredResponse } | undefined>;
  remove(id: string): Promise<boolean>;
}

export interface AsyncRequestsOptions {
  cache: RecordCache<RequestRecord>;
  responses: Responses;
  accept: Accept;
  /** Takes the message back; false when it has been published, or may have been. */
  withdraw(id: string): Promise<boolean>;
  /** The filters that {@link AsyncRequests.topics} gives have changed. */
  onTopics(): void;
  onLate(message: Message): void;
  /** An older version has stored a request that this one would not accept. */
  onSetAside(id: string, reason: string): void;
  maxPending: number;
}

/** The gate of the outbox that a request passes before it is published: its answer must find a subscription. */
export const RESPONSES_GATE = "answers";

const DEFAULT_EXPIRY_SECONDS = 3_600;
/** With those that have ended: a burst that the sweep has not reached yet. */
const MAX_RECORDS = 50_000;
/** How long another instance may have known of a request before this one hears of it. */
const NOTICE_MS = 2_000;

export class AsyncRequests {
  /** Those without an answer, by response topic, in the order of their making. */
  readonly #waiting = new Map<string, Map<string, RequestRecord>>();
  /** Those that are valid, answered or not: their filters stay, or each request would subscribe anew. */
  readonly #cached = new Map<string, RequestRecord>();
  #topics: string[] = [];
  #sweep: NodeJS.Timeout | undefined;

  constructor(private readonly options: AsyncRequestsOptions) {}

  /** The view must have been started. */
  start(): void {
    this.options.cache.onChange((ids) => this.#follow(ids));
    this.#follow(new Set(this.options.cache.all().map(({ id }) => id)));
    this.#sweepNext();
  }

  stop(): void {
    clearTimeout(this.#sweep);
  }

  /** By the clock: all instances drop a topic in the same moment, or they would not agree on what to subscribe. */
  #sweepNext(): void {
    this.#sweep = setTimeout(() => {
      this.#sweepNext();
      void this.#remove();
    }, untilSweep(Date.now())).unref();
  }

  /**
   * Where the answer is expected is among the {@link topics}, also when another instance has just accepted it.
   * @throws ShutForGood when it has failed: the instance that published it ended before the outbox knew
   */
  async ensureCached(id: string): Promise<void> {
    await this.options.cache.ensureCached(id);
    const failed = this.options.cache.get(id)?.failed;
    if (failed) throw new ShutForGood(failed.error);
  }

  /** What is subscribed for the answer; undefined for a request that is not known. */
  filterOf(id: string): string | undefined {
    return this.options.cache.get(id)?.filter;
  }

  /** Where answers are expected. */
  get topics(): readonly string[] {
    return this.#topics;
  }

  /**
   * @returns its state, as JSON
   * @throws Problem rate_limited; whatever storing may bring
   */
  async accept(request: Prepared, expirySeconds = DEFAULT_EXPIRY_SECONDS): Promise<string> {
    const { cache: view, accept, maxPending } = this.options;
    if (this.pending >= maxPending || view.size >= MAX_RECORDS) {
      const headers = { "retry-after": "10" };
      throw new Problem("rate_limited", `${this.pending} requests wait for their answer`, { headers });
    }
    const { id, message, responseTopic, filter, match, correlation } = request;
    const createdAt = Date.now();
    const expiresAt = createdAt + expirySeconds * 1_000;
    const record = { id, topic: message.topic, responseTopic, filter, match, correlation, createdAt, expiresAt };
    await view.create(id, record);
    try {
      await accept(message, { expiresAt, before: RESPONSES_GATE });
    } catch (error) {
      await view.remove(id).catch(() => undefined); // else it expires
      throw error;
    }
    return stateJson(record, createdAt);
  }

  get pending(): number {
    let count = 0;
    for (const requests of this.#waiting.values()) count += requests.size;
    return count;
  }

  /**
   * The state of a request and its answer, as JSON.
   * @param isVisible whether the caller may know of it
   * @throws Problem not_found
   */
  async get(id: string, isVisible: (topic: string) => boolean): Promise<string> {
    const record = await this.#read(id, isVisible);
    const response = record.respondedAt === undefined ? undefined : await this.options.responses.get(id);
    return stateJson(record, Date.now(), response?.value.json);
  }

  /**
   * Takes a request back: it is not published any more where it still waits for that, and a response that comes all the
   * same is a late one. Again is harmless.
   * @param isVisible whether the caller may know of it
   * @throws Problem not_found, conflict
   */
  async cancel(id: string, isVisible: (topic: string) => boolean): Promise<void> {
    const { cache: view, withdraw } = this.options;
    const record = await this.#read(id, isVisible);
    if (record.cancelled) return;
    requireOpen(record, Date.now());
    const sent = !(await withdraw(id));
    await view.update(id, (current) => cancelRecord(current, { at: Date.now(), sent }));
  }

  /** Its message could not be published. Rejects when it has to be called again. */
  async failed(id: string, failure: Failure): Promise<void> {
    await this.options.cache.update(id, (current) => failRecord(current, failure)).catch(ignoreNotFound);
  }

  async #read(id: string, isVisible: (topic: string) => boolean): Promise<RequestRecord> {
    const record = await this.options.cache.read(id);
    if (!isVisible(record.topic)) throw new Problem("not_found", `there is no request ${id}`);
    return record;
  }

  /**
   * A message that came where answers are expected. Rejects when it has to be called again with the same one a little
   * later: its request may have been made by another instance a moment ago.
   */
  async answered(message: Message): Promise<void> {
    const { cache: view, responses, onLate } = this.options;
    const waiting = [...(this.#waiting.get(message.topic)?.values() ?? [])];
    const found = findRequest(
      waiting.filter(({ expiresAt }) => message.receivedAt < expiresAt),
      message,
    );
    if (!found) {
      if (Date.now() - message.receivedAt < NOTICE_MS) throw new Error("no request waits for it yet");
      onLate(message);
      return;
    }
    // The first answer counts, also when two instances take up one each.
    await responses.create(found.id, { json: responseJson(message) });
    const record = await view
      .update(found.id, (current) => (isWaiting(current) ? { ...current, respondedAt: message.receivedAt } : undefined))
      .catch(ignoreNotFound);
    if (!record || record.respondedAt !== undefined) return;
    // It has ended otherwise at another instance a moment ago.
    await responses.remove(found.id);
    onLate(message);
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
    this.#tellTopics();
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

  #tellTopics(): void {
    const topics = [...new Set([...this.#cached.values()].map(({ filter }) => filter))].sort();
    if (JSON.stringify(topics) === JSON.stringify(this.#topics)) return;
    this.#topics = topics;
    this.options.onTopics();
  }

  async #remove(): Promise<void> {
    const now = Date.now();
    for (const record of this.#cached.values()) if (now >= dropAt(record)) this.#unindex(record);
    this.#tellTopics();
    const { cache: view, responses } = this.options;
    for (const { id } of pastKeeping(view.all(), now)) {
      try {
        await responses.remove(id);
        await view.remove(id);
      } catch {
        return; // another instance was faster, or the store is away: at the next sweep
      }
    }
  }
}

function ignoreNotFound(error: unknown): undefined {
  if (!(error instanceof Problem && error.code === "not_found")) throw error;
}
