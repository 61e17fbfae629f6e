/**
 * Port for all durable data. Two adapters implement it (`redis/`, `sqlite/`); one contract suite
 * (`test/contracts/store.contract.ts`) runs against both.
 */
import type { Processor, Queue, QueueOptions, Worker, WorkerOptions } from "bullmq";
import { CannotStartError } from "../errors.ts";
import type { StoreCapacity } from "./capacity.ts";

export interface Store {
  readonly kind: "redis" | "embedded";
  /** Makes one small write, because a full store can still be read. Rejects while the store is unavailable. */
  ping(): Promise<void>;
  /** Returns whether an error of records, expiring keys, leases or queues means that the store is unavailable. */
  isOutage(error: unknown): boolean;
  /**
   * Binds this handle to the store with that identity. While a different store responds in its place, every call
   * rejects as in an outage and changes nothing.
   */
  bind(identity: string): void;
  /** Returns a named collection of durable JSON records. */
  records<T>(collection: string, options?: RecordsOptions): Records<T>;
  readonly expiringKeys: ExpiringKeys;
  readonly counters: Counters;
  readonly ledgers: Ledgers;
  readonly deliveryIndex: DeliveryIndex;
  /** Returns the incomplete QoS 2 messages of an MQTT session. @param clientId the session's client id */
  incoming(clientId: string): IncomingStore;
  readonly series: Series;
  readonly leases: Leases;
  readonly queues: Queues;
  /** Reads how full the store is. Rejects while it is unavailable. */
  capacity(): Promise<StoreCapacity>;
  /** Warnings for the operator, for example that persistence is off. */
  readonly warnings: readonly string[];
  /** Closes every connection of the store. Queues and workers must be closed before. Idempotent. */
  close(): Promise<void>;
}

/** TTL of the expiring key `ping`, which {@link Store.ping} writes. */
export const PING_SECONDS = 60;

/** A record and its version, for compare-and-set. */
export interface Versioned<T> {
  id: string;
  value: T;
  /** 1 for a new record, incremented at each change. */
  version: number;
}

export interface RecordsOptions {
  /** Allows writes even when Redis is out of memory: for few and small records that draining the queues needs. */
  evenWithoutMemory?: boolean;
}

/** Durable records, sorted by id in byte order. The watchers of all instances are notified of every change. */
export interface Records<T> {
  get(id: string): Promise<Versioned<T> | undefined>;
  /** Returns at most `limit` records with ids greater than `after`, in ascending order. */
  list(page: { after?: string; limit: number }): Promise<Versioned<T>[]>;
  /** Returns every record, in ascending order of ids. */
  all(): Promise<Versioned<T>[]>;
  count(): Promise<number>;
  /** Returns false, without a change, when the id exists. */
  create(id: string, value: T): Promise<boolean>;
  /** Compare-and-set: returns false, without a change, when the record is gone or has a different version. */
  replace(id: string, value: T, version: number): Promise<boolean>;
  /** Returns false, without a change, when the record does not exist or, if `version` is given, has a different one. */
  remove(id: string, version?: number): Promise<boolean>;
  /**
   * Calls `listener` with the id after each change by any instance, and with `undefined` whenever notices may have been
   * missed (the connection was lost); the listener must then read all records again. Resolves once it is subscribed, to
   * a function that unsubscribes.
   */
  watch(listener: (id: string | undefined) => void): Promise<() => Promise<void>>;
}

/** Values with a TTL, such as idempotency records. */
export interface ExpiringKeys {
  /** Stores the value and returns undefined if the key is absent; otherwise returns the existing value. */
  setIfAbsent(key: string, value: string, ttlSeconds: number): Promise<string | undefined>;
  /** Sets the value, whether or not the key exists. */
  put(key: string, value: string, ttlSeconds: number): Promise<void>;
  get(key: string): Promise<string | undefined>;
  release(key: string): Promise<void>;
  /** Releases the key if it holds this value; otherwise does nothing. */
  releaseIf(key: string, value: string): Promise<void>;
}

/** Durable integer counters in named groups. Exact up to 2^53. */
export interface Counters {
  /** Adds to the fields of a group atomically and returns their new values. */
  add(group: string, deltas: Record<string, number>): Promise<Record<string, number>>;
  /** Returns every field that {@link Counters.add} has ever changed. */
  read(group: string): Promise<Record<string, number>>;
  remove(group: string): Promise<void>;
}

/** Prefix of the names of queues that have a ledger. */
export const LEDGER_QUEUES = "deliver-wh_";

/**
 * Account of all jobs ever added to one or more queues. `enqueued` is counted when a job is added and always equals the
 * sum of the other fields. A job that is retried is `waiting` again.
 */
export interface Ledger {
  /** Job ids added; adding an existing id does not count. */
  enqueued: number;
  /** Completed jobs, including those removed since. */
  succeeded: number;
  /** Permanently failed jobs, including those removed since. */
  failed: number;
  /** Jobs that have neither ended nor been removed. */
  waiting: number;
  /** Jobs removed before they ended. */
  discarded: number;
}

/**
 * Ledgers of {@link LEDGER_QUEUES}, updated in the same atomic steps that add and remove jobs. All calls reject while
 * the store is unavailable.
 */
export interface Ledgers {
  /** Returns the sum over all queues, including closed ones, as one consistent snapshot. */
  total(): Promise<Ledger>;
  /** Returns the ledger of one queue that is not closed; all zeros when no job was ever added to it. */
  of(queue: string): Promise<Ledger>;
  /** Returns the queues whose ledgers are not closed. */
  queues(): Promise<string[]>;
  /**
   * Closes the ledger of an obliterated queue: adds it to the common ledger of all closed queues.
   * @returns false when the queue contains jobs again
   */
  close(queue: string): Promise<boolean>;
}

export type IndexState = "waiting" | "prioritized" | "active" | "delayed" | "completed" | "failed";

/** Place in the index: by time of receipt in milliseconds since the epoch, then by job id, then by queue. */
export interface IndexPosition {
  at: number;
  id: string;
  queue: string;
}

export interface IndexEntry extends IndexPosition {
  state: IndexState;
}

export interface IndexQuery {
  queues: readonly string[];
  before: IndexPosition;
  /** Only jobs received at this time or later. */
  since?: number;
  /** A valid topic filter. */
  topic?: string;
  /** Default: every state. */
  states?: readonly IndexState[];
}

/**
 * Index of the jobs in {@link LEDGER_QUEUES} by time of receipt and topic, updated in the same atomic steps that add and
 * remove jobs. The state of an entry is that of its job at the time of the read.
 */
export interface DeliveryIndex {
  /**
   * Returns the newest matching jobs before a position, newest first, at most `count`. It may return fewer although
   * there are more, because it examines a bounded number of jobs: `next` is where to continue, undefined at the end.
   * Rejects while the store is unavailable.
   */
  newest(query: IndexQuery, count: number): Promise<{ entries: IndexEntry[]; next: IndexPosition | undefined }>;
}

/** The message that a packet identifier denotes until PUBREL. */
export interface IncomingEntry {
  /** Message id: `msg_…`. */
  id: string;
  /** Milliseconds since the epoch. */
  receivedAt: number;
  /** Digest of the message's content. */
  digest: string;
}

/**
 * QoS 2 messages between PUBLISH and PUBREL by packet identifier, 1 to 65,535. Exclusive: only the instance that owns
 * the MQTT session calls it. Both calls reject while the store is unavailable and may be retried: a rejected write may
 * have been applied fully, partly or not at all.
 */
export interface IncomingStore {
  all(): Promise<Map<number, IncomingEntry>>;
  /** Sets `entries`, replacing existing ones, and deletes `removed`, which may be absent. Durable when it resolves. */
  write(entries: ReadonlyMap<number, IncomingEntry>, removed: readonly number[]): Promise<void>;
}

/**
 * Statistics over time as encoded texts: one value for each id, writer and group, which is a stretch of time in one
 * resolution. A writer is a process; each replaces only its own values. All calls reject while the store is unavailable.
 */
export interface Series {
  /**
   * Sets values of a writer. May be repeated: a rejected call may have been applied fully, partly or not at all.
   * @param ttlSeconds time from now until the whole group expires, unless a later call extends it
   */
  put(
    group: string,
    writer: string,
    values: readonly (readonly [id: string, value: string])[],
    ttlSeconds: number,
  ): Promise<void>;
  /** Returns the values of an id in each of the groups, by all writers, in no particular order. */
  of(id: string, groups: readonly string[]): Promise<string[][]>;
  /** Reads all values of a group, by all writers, in pages of bounded size; each value once. */
  all(group: string): AsyncIterable<[id: string, value: string][]>;
}

/**
 * Time-limited exclusive rights of one instance. A lease that is not renewed expires by the store's clock. All calls
 * reject while the store is unavailable. `holder` is the unique name of an instance.
 */
export interface Leases {
  /**
   * Acquires the lease if it is free, renews it if `holder` holds it, and otherwise leaves it unchanged.
   * @param ttlMs time from now until the lease expires unless it is renewed, in whole milliseconds
   * @returns the current holder: `holder` or another instance
   */
  acquire(name: string, holder: string, ttlMs: number): Promise<string>;
  /** Releases the lease if `holder` holds it. */
  release(name: string, holder: string): Promise<void>;
  /** Returns the current holder without acquiring the lease. */
  holder(name: string): Promise<string | undefined>;
  /**
   * Calls `listener` with the lease's name after each release by any instance, but not when a lease expires; a notice
   * may be missed. Resolves once it is subscribed, to a function that unsubscribes.
   */
  watch(listener: (name: string) => void): Promise<() => Promise<void>>;
}

/**
 * BullMQ queues and workers on this store's backend. Names must not contain `:`. The store provides the connections. It
 * handles the `error` events of queues and workers and condenses them, instead of logging one line per retry.
 */
export interface Queues {
  queue<D, R = unknown>(name: string, options?: Omit<QueueOptions, "connection">): Queue<D, R>;
  worker<D, R = unknown>(
    name: string,
    processor: Processor<D, R>,
    options?: Omit<WorkerOptions, "connection">,
  ): Worker<D, R>;
}

/** The store cannot be opened as configured; the message states the reason and the remedy. Exit code 78. */
export class StoreConfigError extends CannotStartError {
  override name = "StoreConfigError";
}
