/**
 * `POST /v1/requests`, asynchronous: the request is stored and published once the broker is connected. The response is
 * received like any device message: it is durable before it is acknowledged, even if it arrives while no instance runs.
 * Any instance may process it.
 */
import { Refused } from "../errors.ts";
import type { Message } from "../message.ts";
import type { RecordCache } from "../store/record-cache.ts";
import { findRequest, type Prepared, responseJson } from "./request.ts";
import {
  cancelRecord,
  checkOpen,
  dropAt,
  type Failure,
  failRecord,
  isWaiting,
  pastKeeping,
  type RequestRecord,
  requestFault,
  stateJson,
  untilSweep,
} from "./request-record.ts";
import { type Accept, ShutForGood } from "./stored-publish.ts";

export type { RequestRecord };

/** The response, stored separately from the record: responses may be large, and records are held in memory. */
export interface StoredResponse {
  json: string;
}

/** Store of responses; see the store's `Records`. */
export interface Responses {
  create(id: string, response: StoredResponse): Promise<boolean>;
  get(id: string): Promise<{ value: StoredResponse } | undefined>;
  remove(id: string): Promise<boolean>;
}

export interface AsyncRequestsOptions {
  cache: RecordCache<RequestRecord>;
  responses: Responses;
  accept: Accept;
  /** Withdraws the message; false if it has been, or may have been, published. */
  withdraw(id: string): Promise<boolean>;
  /** Called when the filters in {@link AsyncRequests.topics} have changed. */
  onTopics(): void;
  onLate(message: Message): void;
  /** Called for a request that an older version stored and this version would not accept. */
  onSetAside(id: string, reason: string): void;
  maxPending: number;
}

/** Name of the outbox gate for requests: before the publish, the subscription for the response must be active. */
export const RESPONSES_GATE = "answers";

const DEFAULT_EXPIRY_SECONDS = 3_600;
/** Includes ended requests, to leave room for a burst that the sweep has not removed yet. */
const MAX_RECORDS = 50_000;
/** Maximum delay after which a request accepted by another instance is in this instance's record cache. */
const NOTICE_MS = 2_000;

export class AsyncRequests {
  /** Requests without a response, by response topic, in order of creation. */
  readonly #waiting = new Map<string, Map<string, RequestRecord>>();
  /** Requests whose filters are kept, answered or not: otherwise each request would need a new subscription. */
  readonly #cached = new Map<string, RequestRecord>();
  #topics: string[] = [];
  #sweep: NodeJS.Timeout | undefined;

  constructor(private readonly options: AsyncRequestsOptions) {}

  /** The record cache must have been started. */
  start(): void {
    this.options.cache.onChange((ids) => this.#follow(ids));
    this.#follow(new Set(this.options.cache.all().map(({ id }) => id)));
    this.#sweepNext();
  }

  stop(): void {
    clearTimeout(this.#sweep);
  }

  /** Aligned to the clock: all instances drop a topic at the same moment and so agree on the subscriptions. */
  #sweepNext(): void {
    this.#sweep = setTimeout(() => {
      this.#sweepNext();
      void this.#remove();
    }, untilSweep(Date.now())).unref();
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

  /** Filters on which responses are expected. */
  get topics(): readonly string[] {
    return this.#topics;
  }

  /**
   * Stores a request and queues its message in the outbox.
   * @returns the state of the request, as JSON
   */
  async accept(request: Prepared, expirySeconds = DEFAULT_EXPIRY_SECONDS): Promise<string | Refused> {
    const { cache: view, accept, maxPending } = this.options;
    if (this.pending >= maxPending || view.size >= MAX_RECORDS) {
      const detail = `${this.pending} requests wait for their answer`;
      return new Refused("rate_limited", detail, { retryAfterSeconds: 10 });
    }
    const { id, message, responseTopic, filter, match, correlation } = request;
    const createdAt = Date.now();
    const expiresAt = createdAt + expirySeconds * 1_000;
    const record = { id, topic: message.topic, responseTopic, filter, match, correlation, createdAt, expiresAt };
    await view.create(id, record);
    try {
      await accept(message, { expiresAt, before: RESPONSES_GATE });
    } catch (error) {
      await view.remove(id).catch(() => undefined); // otherwise it expires
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
   * Returns the state of a request and its response, as JSON.
   * @param isVisible whether the caller may see requests to a topic
   */
  async get(id: string, isVisible: (topic: string) => boolean): Promise<string | Refused> {
    const record = await this.#read(id, isVisible);
    if (record instanceof Refused) return record;
    const response = record.respondedAt === undefined ? undefined : await this.options.responses.get(id);
    return stateJson(record, Date.now(), response?.value.json);
  }

  /**
   * Cancels a request: a message that still waits is not published, and a response that arrives anyway counts as late.
   * Idempotent.
   * @param isVisible whether the caller may see requests to a topic
   */
  async cancel(id: string, isVisible: (topic: string) => boolean): Promise<Refused | undefined> {
    const { cache: view, withdraw } = this.options;
    const record = await this.#read(id, isVisible);
    if (record instanceof Refused) return record;
    if (record.cancelled) return undefined;
    const ended = checkOpen(record, Date.now());
    if (ended) return ended;
    const sent = !(await withdraw(id));
    let refused: Refused | undefined;
    const found = await view.update(id, (current) => {
      const changed = cancelRecord(current, { at: Date.now(), sent });
      refused = changed instanceof Refused ? changed : undefined;
      return changed instanceof Refused ? undefined : changed;
    });
    return found ? refused : noRequest(id);
  }

  /** Records that the message of a request could not be published. Rejects if the call must be repeated. */
  async failed(id: string, failure: Failure): Promise<void> {
    await this.options.cache.update(id, (current) => failRecord(current, failure));
  }

  async #read(id: string, isVisible: (topic: string) => boolean): Promise<RequestRecord | Refused> {
    const record = await this.options.cache.read(id);
    return record && isVisible(record.topic) ? record : noRequest(id);
  }

  /**
   * Handles a message on a response topic. Rejects if the call must be repeated with the same message a little later:
   * another instance may have accepted the request a moment ago.
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
    // The first response counts, even if two instances process one each.
    await responses.create(found.id, { json: responseJson(message) });
    const record = await view.update(found.id, (current) =>
      isWaiting(current) ? { ...current, respondedAt: message.receivedAt } : undefined,
    );
    if (!record || record.respondedAt !== undefined) return;
    // Another instance ended the request in a different way a moment ago.
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
        if (!(await view.remove(id))) return; // another instance was faster
      } catch {
        return; // the store is unavailable: the next sweep retries
      }
    }
  }
}

function noRequest(id: string): Refused {
  return new Refused("not_found", `there is no request ${id}`);
}
