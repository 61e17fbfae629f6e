/**
 * `POST /v1/requests`, asynchronous: the request is stored and published once the broker is connected. The response is
 * received like any device message: it is durable before it is acknowledged, even if it arrives while no instance runs.
 * Any instance may process it.
 */
import { Refused } from "../errors.ts";
import type { Message } from "../message.ts";
import type { RecordCache } from "../store/record-cache.ts";
import { findRequest, type PreparedRequest, responseJson } from "./request.ts";
import { cancelRecord, checkOpen, isWaiting, type RequestRecord, stateJson } from "./request-record.ts";
import { RESPONSES_GATE } from "./response-gate.ts";
import type { Accept } from "./stored-publish.ts";

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
  pending: {
    /** Number of requests without a response. */
    readonly size: number;
    /** The requests that await a response on this topic, in order of creation. */
    waitingOn(topic: string): RequestRecord[];
  };
  responses: Responses;
  outbox: {
    accept: Accept;
    /** Withdraws the message; false if it has been, or may have been, published. */
    withdraw(id: string): Promise<boolean>;
  };
  onLate(message: Message): void;
  maxPending: number;
}

const DEFAULT_EXPIRY_SECONDS = 3_600;
/** Includes ended requests, to leave room for a burst that the sweep has not removed yet. */
const MAX_RECORDS = 50_000;
/** Maximum delay after which a request accepted by another instance is in this instance's record cache. */
const NOTICE_MS = 2_000;

export class AsyncRequests {
  constructor(private readonly options: AsyncRequestsOptions) {}

  /**
   * Stores a request and queues its message in the outbox.
   * @returns the state of the request, as JSON
   */
  async accept(request: PreparedRequest, expirySeconds = DEFAULT_EXPIRY_SECONDS): Promise<string | Refused> {
    const { cache, pending, outbox, maxPending } = this.options;
    if (pending.size >= maxPending || cache.size >= MAX_RECORDS) {
      return new Refused("rate_limited", `${pending.size} requests are waiting for their response`, {
        retryAfterSeconds: 10,
      });
    }
    const { id, message, responseTopic, filter, match, correlation } = request;
    const createdAt = Date.now();
    const expiresAt = createdAt + expirySeconds * 1_000;
    const record = { id, topic: message.topic, responseTopic, filter, match, correlation, createdAt, expiresAt };
    await cache.create(id, record);
    try {
      await outbox.accept(message, { expiresAt, before: RESPONSES_GATE });
    } catch (error) {
      await cache.remove(id).catch(() => undefined); // otherwise it expires
      throw error;
    }
    return stateJson(record, createdAt);
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
    const { cache, outbox } = this.options;
    const record = await this.#read(id, isVisible);
    if (record instanceof Refused) return record;
    if (record.cancelled) return undefined;
    const ended = checkOpen(record, Date.now());
    if (ended) return ended;
    const sent = !(await outbox.withdraw(id));
    let refused: Refused | undefined;
    const found = await cache.update(id, (current) => {
      const changed = cancelRecord(current, { at: Date.now(), sent });
      refused = changed instanceof Refused ? changed : undefined;
      return changed instanceof Refused ? undefined : changed;
    });
    return found ? refused : noRequest(id);
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
    const { cache, pending, responses, onLate } = this.options;
    const waiting = pending.waitingOn(message.topic).filter(({ expiresAt }) => message.receivedAt < expiresAt);
    const found = findRequest(waiting, message);
    if (!found) {
      if (Date.now() - message.receivedAt < NOTICE_MS) throw new Error("no request waits for it yet");
      onLate(message);
      return;
    }
    // The first response counts, even if two instances process one each.
    await responses.create(found.id, { json: responseJson(message) });
    const record = await cache.update(found.id, (current) =>
      isWaiting(current) ? { ...current, respondedAt: message.receivedAt } : undefined,
    );
    if (!record || record.respondedAt !== undefined) return;
    // Another instance ended the request in a different way a moment ago.
    await responses.remove(found.id);
    onLate(message);
  }
}

function noRequest(id: string): Refused {
  return new Refused("not_found", `there is no request ${id}`);
}
