import { EventEmitter } from "node:events";
import { type KeysMap, QueueKeys, type StreamReadRaw, type WorkerOptions } from "bullmq";
import type { SqliteConnection } from "./connection.ts";
import { refusal } from "./errors.ts";

/** The options of queues and workers that the backend reads. */
export type BackendOptions = Partial<
  Pick<
    WorkerOptions,
    | "prefix"
    | "name"
    | "lockDuration"
    | "limiter"
    | "metrics"
    | "maxStalledCount"
    | "stalledInterval"
    | "removeOnComplete"
    | "removeOnFail"
  >
>;

/** Identity and lifecycle of a queue's backend, and its two waits: for a job and for events. */
export class BackendBase extends EventEmitter {
  closing: Promise<void> | undefined;
  readonly minimumBlockTimeout = 0.001;
  /** Waits end by notices, so this only bounds what BullMQ computes with: an hour. */
  readonly maximumBlockTimeout = 3_600;
  readonly keys: KeysMap;
  protected readonly prefix: string;
  readonly #queueKeys: QueueKeys;
  /** Version of the queue at the last attempt to take a job. */
  #lookedAt = -1;
  #blocking = new AbortController();

  constructor(
    readonly connection: SqliteConnection,
    readonly name: string,
    protected readonly opts: BackendOptions,
  ) {
    super();
    this.prefix = opts.prefix ?? "bull";
    this.#queueKeys = new QueueKeys(this.prefix);
    this.keys = this.#queueKeys.getKeys(name);
  }

  get qualifiedName(): string {
    return `${this.prefix}:${this.name}`;
  }

  toKey(type: string): string {
    return this.#queueKeys.toKey(this.name, type);
  }

  parseNodeKey(key: string): { prefix: string; queueName: string; id: string } {
    const last = key.lastIndexOf(":");
    const previous = key.lastIndexOf(":", last - 1);
    return { prefix: key.slice(0, previous), queueName: key.slice(previous + 1, last), id: key.slice(last + 1) };
  }

  clientName(suffix = ""): string {
    return `${this.prefix}:${Buffer.from(this.name).toString("base64")}${suffix}`;
  }

  async setName(name: string): Promise<void> {
    this.connection.clients.set(this, name);
  }

  /** Connections are open before queues are created. */
  async waitUntilReady(): Promise<void> {}

  close(_force?: boolean): Promise<void> {
    this.closing ??= this.disconnect();
    return this.closing;
  }

  async disconnect(): Promise<void> {
    this.connection.clients.delete(this);
    await this.disconnectBlocking();
  }

  async disconnectBlocking(_wait?: boolean): Promise<void> {
    this.#blocking.abort();
  }

  async reconnectBlocking(): Promise<void> {
    this.#blocking = new AbortController();
  }

  /**
   * Waits until a job can be taken. The time-out is not needed: no notice gets lost in a process. After
   * `disconnectBlocking`, the returned time keeps the worker from taking another job, as a lost connection does.
   */
  async waitForJob(_blockTimeout: number): Promise<{ member: string; score: number } | null> {
    const { signal } = this.#blocking;
    await this.connection.waker.wait(this.qualifiedName, this.#lookedAt, signal);
    return { member: this.name, score: signal.aborted ? Number.POSITIVE_INFINITY : 0 };
  }

  /** Must be called before each attempt to take a job. */
  protected looks(): void {
    this.#lookedAt = this.connection.waker.version(this.qualifiedName);
  }

  /** Waits for events after `id`; `$` stands for the last one so far. Returns null when the backend disconnects. */
  async readEvents(id: string, _blockTimeout: number): Promise<StreamReadRaw> {
    const { signal } = this.#blocking;
    let changed = () => {};
    const listener = () => changed();
    const stop = this.connection.onEvents(this.qualifiedName, listener);
    signal.addEventListener("abort", listener);
    try {
      const after = id === "$" ? await this.call<string>("lastEvent") : id;
      while (!signal.aborted) {
        const next = new Promise<void>((resolve) => {
          changed = resolve;
        });
        const events = await this.call<[string, string[]][]>("readEvents", after);
        if (events.length > 0) return [[this.toKey("events"), events]];
        if (!signal.aborted) await next;
      }
      return null as unknown as StreamReadRaw;
    } finally {
      stop();
      signal.removeEventListener("abort", listener);
    }
  }

  /** Runs one of the queue's procedures. */
  protected call<R>(procedure: string, ...args: unknown[]): Promise<R> {
    return this.connection.engine.call<R>(`bullmq.${procedure}`, this.qualifiedName, ...args);
  }

  /** Throws BullMQ's error if a result is a negative code. */
  protected accept<R>(result: R, command: string, jobId?: string, state?: string, parentKey?: string): R {
    if (typeof result === "number" && result < 0) {
      throw refusal({ code: result, command, jobId, state, parentKey });
    }
    return result;
  }
}
