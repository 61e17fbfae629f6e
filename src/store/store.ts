/**
 * The port of everything that must last. Two adapters implement it (`redis/`, `embedded/`), one contract suite
 * (`test/contracts/store.contract.ts`) runs against both.
 */
import type { Processor, Queue, QueueOptions, Worker, WorkerOptions } from "bullmq";
import { CannotStartError } from "../errors.ts";

export interface Store {
  readonly kind: "redis" | "embedded";
  /** One small write, as a store that is full can still be read; rejects while it cannot be used. */
  ping(): Promise<void>;
  /** Whether an error of records, claims, leases or queues means that the store cannot be used now. */
  isOutage(error: unknown): boolean;
  /**
   * Ties this handle to the store with that identity. While another store answers in its place, every call rejects as
   * in an outage and changes nothing.
   */
  bind(identity: string): void;
  /** A named set of durable JSON records. */
  records<T>(collection: string, options?: RecordsOptions): Records<T>;
  readonly expiringKeys: ExpiringKeys;
  readonly counters: Counters;
  readonly ledgers: Ledgers;
  /** The incomplete QoS 2 messages of a session at the broker. @param lane the session's client id */
  incoming(lane: string): Incoming;
  readonly leases: Leases;
  readonly queues: Queues;
  /** What an operator should know about this store, e.g. that persistence is off. Empty when all is well. */
  readonly warnings: readonly string[];
  /** Ends every connection opened here. Queues and workers must have been closed before. Idempotent. */
  close(): Promise<void>;
}

/** How long the claim `ping` lasts, which {@link Store.ping} writes. */
export const PING_SECONDS = 60;

/** A record and the number of its last change, for compare-and-set. */
export interface Versioned<T> {
  id: string;
  value: T;
  /** 1 for a new record, one more at each change. */
  version: number;
}

export interface RecordsOptions {
  /** Can be written while Redis has no memory left, too: for few and small ones, without which nothing drains. */
  evenWithoutMemory?: boolean;
}

/** Durable records, sorted by id in byte order. Every change is noticed by the watchers of all instances. */
export interface Records<T> {
  get(id: string): Promise<Versioned<T> | undefined>;
  /** At most `limit` records with ids greater than `after`, ascending. */
  list(page: { after?: string; limit: number }): Promise<Versioned<T>[]>;
  /** Every record, ascending. */
  all(): Promise<Versioned<T>[]>;
  count(): Promise<number>;
  /** False, and no change, when the id exists. */
  create(id: string, value: T): Promise<boolean>;
  /** Compare-and-set. False, and no change, when the record is gone or its version is another one. */
  replace(id: string, value: T, version: number): Promise<boolean>;
  /** False when there was none. */
  remove(id: string): Promise<boolean>;
  /**
   * Calls back after each change by any instance with the id, and with `undefined` whenever notices may have been
   * missed (the connection was lost): read everything again then. Resolves once listening; the result ends it.
   */
  watch(listener: (id: string | undefined) => void): Promise<() => Promise<void>>;
}

/** Values with an end: idempotency records and the like. */
export interface ExpiringKeys {
  /** Stores the value if the key is free, and answers undefined; otherwise answers the value that is there. */
  setIfAbsent(key: string, value: string, ttlSeconds: number): Promise<string | undefined>;
  /** Overwrites, or makes, the value. */
  put(key: string, value: string, ttlSeconds: number): Promise<void>;
  release(key: string): Promise<void>;
  /** Releases the key if it holds this value; otherwise nothing happens. */
  releaseIf(key: string, value: string): Promise<void>;
}

/** Whole numbers that last, in named groups. Exact up to 2^53. */
export interface Counters {
  /** Adds to the fields of a group, all or none, and answers their new values. */
  add(group: string, deltas: Record<string, number>): Promise<Record<string, number>>;
  /** Every field that was ever added to. */
  read(group: string): Promise<Record<string, number>>;
  remove(group: string): Promise<void>;
}

/** The queues of which there are books: those whose names begin so. */
export const LEDGER_QUEUES = "deliver-wh_";

/**
 * What became of the jobs of queues since they began. `enqueued` is counted when a job is added, and is the sum of the
 * others at every moment. A job that is made again is `waiting` again.
 */
export interface Ledger {
  /** Ids added; adding one that is there does not count. */
  enqueued: number;
  /** Completed, those removed since included. */
  succeeded: number;
  /** Failed for good, those removed since included. */
  failed: number;
  /** Neither ended nor removed. */
  waiting: number;
  /** Removed before they ended. */
  discarded: number;
}

/** Kept in the very steps that add and remove jobs of {@link LEDGER_QUEUES}. All calls reject while the store is away. */
export interface Ledgers {
  /** Of all queues, those that are gone included; at one moment. */
  total(): Promise<Ledger>;
  /** Of one queue that is not gone; zeros when nothing was ever added to it. */
  of(queue: string): Promise<Ledger>;
  /** The queues that are not gone. */
  queues(): Promise<string[]>;
  /**
   * A queue that was obliterated is gone: its book is added to that of all those before it.
   * @returns false when there are jobs in it again
   */
  close(queue: string): Promise<boolean>;
}

/** What a packet identifier stands for until PUBREL. */
export interface IncomingEntry {
  /** Of the message: `msg_…`. */
  id: string;
  /** Milliseconds since the epoch. */
  receivedAt: number;
  /** Of what the message holds. */
  digest: string;
}

/**
 * QoS 2 messages between PUBLISH and PUBREL by packet identifier, 1 to 65,535. Exclusive: only the instance that has
 * the lane calls this. Both calls reject while the store cannot be used, and may then be made again: a write that was
 * refused is there in whole, in part or not at all.
 */
export interface Incoming {
  all(): Promise<Map<number, IncomingEntry>>;
  /** Puts entries in place of what is there, and removes others, which may be absent. Durable when it resolves. */
  write(entries: ReadonlyMap<number, IncomingEntry>, removed: readonly number[]): Promise<void>;
}

/**
 * What one instance alone does at a time. A lease ends by itself when it is not renewed, by the store's clock; all
 * calls reject while the store cannot be used. `holder` names an instance, and nobody else has that name.
 */
export interface Leases {
  /**
   * Takes the lease if it is free, renews it if the asker has it, and otherwise leaves it as it is.
   * @param ttlMs how long it is held from now on without being renewed, in whole milliseconds
   * @returns who has it now: the asker or another one
   */
  acquire(name: string, holder: string, ttlMs: number): Promise<string>;
  /** Ends it, if this holder has it. */
  release(name: string, holder: string): Promise<void>;
  /** Who has it now, without taking it. */
  holder(name: string): Promise<string | undefined>;
  /**
   * Calls back with the name after each release by any instance; not when a lease runs out, and a notice may be
   * missed. Resolves once listening; the result ends it.
   */
  watch(listener: (name: string) => void): Promise<() => Promise<void>>;
}

/**
 * BullMQ queues on this store's backend. Names must not hold `:`. The connection options are the store's own.
 * The `error` events of both are listened to and reported once per outage, not once per retry.
 */
export interface Queues {
  queue<D, R = unknown>(name: string, options?: Omit<QueueOptions, "connection">): Queue<D, R>;
  worker<D, R = unknown>(
    name: string,
    processor: Processor<D, R>,
    options?: Omit<WorkerOptions, "connection">,
  ): Worker<D, R>;
}

/** The store cannot be opened as configured; the message says why and what to do. Ends the process with 78. */
export class StoreConfigError extends CannotStartError {
  override name = "StoreConfigError";
}
