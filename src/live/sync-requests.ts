/** `POST /v1/requests`, synchronous: publishes, waits for the device's response and returns it. Nothing is stored. */

import { outcomeOf, type Publish } from "../downlink/publish.ts";
import { findRequest, type PreparedRequest, responseJson } from "../downlink/request.ts";
import { Refused } from "../errors.ts";
import type { Message } from "../message.ts";
import type { Listening } from "./live-subscriptions.ts";

export interface SyncRequestsOptions {
  publish: Publish;
  /** Resolves once the broker has granted the filter. */
  listen(topics: string[], onMessage: (message: Message) => void): Promise<Listening | Refused>;
  maxPending: number;
  /** Called for a message on a response topic for which no request waits (any more). */
  onLate(message: Message): void;
}

interface Waiter extends Pick<PreparedRequest, "match" | "correlation"> {
  answered(message: Message): void;
}

/** Requests with the same filter share one subscription; it outlives the last of them. */
interface Shared {
  users: number;
  linger: NodeJS.Timeout | undefined;
  listening: Promise<Listening | Refused>;
}

/** The next request to the same device need not wait for the subscription, and late responses are counted. */
const LINGER_MS = 30_000;

export class SyncRequests {
  /** Waiting requests by response topic, oldest first. */
  readonly #waiting = new Map<string, Waiter[]>();
  readonly #shared = new Map<string, Shared>();
  /** For each waiting caller, a function that ends the wait before its timeout. */
  readonly #ends = new Set<(refused: Refused) => void>();
  #pending = 0;

  constructor(private readonly options: SyncRequestsOptions) {}

  get pending(): number {
    return this.#pending;
  }

  /**
   * Publishes a request and waits for the response.
   * @param signal aborted when the caller has disconnected, which ends the wait
   * @returns the API's response as JSON
   */
  async ask(request: PreparedRequest, timeoutMs: number, signal: AbortSignal): Promise<string | Refused> {
    const { maxPending } = this.options;
    if (this.#pending >= maxPending) {
      return new Refused("rate_limited", `${maxPending} requests are waiting for their response`, {
        retryAfterSeconds: 1,
      });
    }
    this.#pending++;
    try {
      const leave = await this.#listen(request.filter);
      if (leave instanceof Refused) return leave;
      try {
        return await this.#exchange(request, timeoutMs, signal);
      } finally {
        leave();
      }
    } finally {
      this.#pending--;
    }
  }

  /** Fails every waiting request with `shutting_down`, instead of leaving a broken connection. */
  close(): void {
    const detail =
      "this instance is shutting down and can no longer receive the response; the device may have received the request";
    for (const end of this.#ends) end(new Refused("shutting_down", detail));
  }

  async #exchange(request: PreparedRequest, timeoutMs: number, signal: AbortSignal): Promise<string | Refused> {
    const startedAt = performance.now();
    let noSubscribers = false;
    let timer: NodeJS.Timeout | undefined;
    let end: (refused: Refused) => void;
    const wait = this.#expect(request);
    try {
      const ended = new Promise<Refused>((resolve) => {
        end = resolve;
        this.#ends.add(end);
        timer = setTimeout(() => end(timeout(timeoutMs, noSubscribers)), timeoutMs);
        signal.addEventListener("abort", () => end(new Refused("request_timeout", "the caller has disconnected")));
      });
      const publish = async () => {
        const outcome = outcomeOf(request.message, await this.options.publish(request.message));
        if (outcome instanceof Refused) return outcome;
        noSubscribers = outcome.noMatchingSubscribers === true;
        return wait.answer;
      };
      // A response may arrive before the broker's acknowledgement; a failed publish ends the wait.
      const answer = await Promise.race([wait.answer, ended, publish()]);
      if (answer instanceof Refused) return answer;
      const durationMs = Math.round((performance.now() - startedAt) * 100) / 100;
      const { id } = request;
      return `{"id":"${id}","outcome":"responded","response":${responseJson(answer)},"durationMs":${durationMs}}`;
    } finally {
      clearTimeout(timer);
      this.#ends.delete(end!);
      wait.end();
    }
  }

  #expect({ responseTopic, match, correlation }: PreparedRequest): { answer: Promise<Message>; end(): void } {
    const { promise, resolve } = withResolvers<Message>();
    const waiter: Waiter = { match, correlation, answered: resolve };
    const waiters = this.#waiting.get(responseTopic) ?? [];
    waiters.push(waiter);
    this.#waiting.set(responseTopic, waiters);
    return { answer: promise, end: () => this.#forget(responseTopic, waiter) };
  }

  #forget(topic: string, waiter: Waiter): void {
    const waiters = this.#waiting.get(topic);
    const at = waiters?.indexOf(waiter) ?? -1;
    if (at === -1) return;
    waiters!.splice(at, 1);
    if (waiters!.length === 0) this.#waiting.delete(topic);
  }

  #onMessage(message: Message): void {
    const found = findRequest(this.#waiting.get(message.topic) ?? [], message);
    if (!found) {
      this.options.onLate(message);
      return;
    }
    // Before the next message: a second response belongs to the next request, or is late.
    this.#forget(message.topic, found);
    found.answered(message);
  }

  /** Joins or creates the subscription to the filter. @returns a function that leaves it */
  async #listen(filter: string): Promise<(() => void) | Refused> {
    let shared = this.#shared.get(filter);
    if (!shared) {
      shared = {
        users: 0,
        linger: undefined,
        listening: this.options.listen([filter], (message) => this.#onMessage(message)),
      };
      this.#shared.set(filter, shared);
    }
    const mine = shared;
    mine.users++;
    clearTimeout(mine.linger);
    const end = () => {
      if (this.#shared.get(filter) === mine) this.#shared.delete(filter);
      void mine.listening.then(
        (listening) => listening instanceof Refused || listening.close(),
        () => undefined,
      );
    };
    const leave = () => {
      if (--mine.users === 0) mine.linger = setTimeout(end, LINGER_MS).unref();
    };
    try {
      const listening = await mine.listening;
      if (!(listening instanceof Refused)) return leave;
      end(); // the next request subscribes again
      return listening;
    } catch (error) {
      end();
      throw error;
    }
  }
}

function timeout(ms: number, noSubscribers: boolean): Refused {
  const detail = `no answer within ${ms / 1_000} s`;
  return new Refused(
    "request_timeout",
    noSubscribers ? `${detail}; no client subscribes to the topic of the request` : detail,
  );
}

/** Promise.withResolvers, which Node 20 does not have. */
function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
