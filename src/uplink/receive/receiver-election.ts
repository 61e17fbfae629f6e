/**
 * Receiver election: the instance that holds the lease receives from the broker. The receiver records its
 * subscriptions, so every instance can tell whether they match the registrations.
 */

import { AwaitableCondition } from "../../lib/awaitable-condition.ts";
import { shortDigest } from "../../lib/digest.ts";
import type { QoS } from "../../message.ts";
import type { Lease } from "../../store/lease.ts";
import type { RecordCache } from "../../store/record-cache.ts";
import type { Receiver } from "./receiver.ts";
import { wantedFilters } from "./reconciliation/session-plan.ts";
import type { Refusal, Session } from "./session.ts";

/** Index of the only receiver, which has the sessions `<client id>-uplink-<n>`. */
export const RECEIVER = 0;
const RECORD = String(RECEIVER);

/** Record of the receiver, read by the other instances. */
export interface ReceiverRecord {
  /** The instance that wrote the record; the record is void once another instance is the receiver. */
  holder: string;
  /**
   * Digest of the filters requested from the broker, see {@link digestOf}; null while the receiver is not connected.
   */
  digest: string | null;
  /** Requested filters that the broker refuses; absent when there are none. */
  refused?: Refusal[];
}

/** The election's side of one term. */
export interface Term {
  lease: Pick<Lease, "isValid" | "confirm">;
  /** Call when the state of the subscriptions may have changed. */
  onChange(): void;
}

export interface ReceiverElectionOptions<S extends Session> {
  openLease(callbacks: { onGained(): void; onLost(): void }): Lease;
  cache: RecordCache<ReceiverRecord>;
  wanted(): Iterable<{ topics: string[]; qos: QoS }>;
  openReceiver(term: Term): Receiver<S>;
  onError(error: Error): void;
}

const RETRY_MS = 1_000;
/** Most refused filters in the record: every instance reads it at every change. */
const MAX_REFUSED = 200;

export class ReceiverElection<S extends Session> {
  readonly lease: Lease;
  #receiver: Receiver<S> | undefined;
  #begun: Promise<unknown> = Promise.resolve();
  #ended: Promise<unknown> = Promise.resolve();
  readonly #untilSynchronized = new AwaitableCondition(() => this.isSynchronized);
  /** Digest of the wanted filters; computed on demand, since thousands of filters take a while. */
  #digest: string | undefined;
  #updating = false;
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(private readonly options: ReceiverElectionOptions<S>) {
    this.lease = options.openLease({ onGained: () => this.#begin(), onLost: () => this.#abandon() });
  }

  /**
   * Resolves once the receiver of this instance has started, or another instance has the lease. Start the record cache
   * first.
   */
  async start(): Promise<void> {
    this.options.cache.onChange(() => this.#changed());
    await this.lease.start();
    await this.#begun;
  }

  get receiver(): Receiver<S> | undefined {
    return this.#receiver;
  }

  /** The name of the receiver, undefined while it is unknown, and whether it is this instance. */
  get holder(): { name: string | undefined; here: boolean } {
    return { name: this.lease.holder, here: this.lease.held };
  }

  /** Sessions of this instance: none when another instance is the receiver. */
  get sessions(): readonly S[] {
    return this.#receiver?.subscriptions.sessions ?? [];
  }

  /** Milliseconds since the oldest flush in progress on this instance began; 0 when there is none. */
  get oldestFlushMs(): number {
    return this.#receiver?.enqueuer.oldestFlushMs ?? 0;
  }

  /** Call when the wanted filters (registrations or response topics) may have changed. */
  refresh(): void {
    this.#digest = undefined;
    this.#receiver?.subscriptions.refresh();
    this.#untilSynchronized.check();
  }

  /**
   * Whether the subscriptions of the receiver, here or on another instance, match the filters that this instance wants.
   * False while the receiver is disconnected or unknown.
   */
  get isSynchronized(): boolean {
    if (this.#receiver) return this.#receiver.subscriptions.isSynchronized;
    const record = this.options.cache.get(RECORD);
    return record !== undefined && record.holder === this.lease.holder && record.digest === this.#wantedDigest;
  }

  /** Filters that the broker refuses to the receiver, here or on another instance. */
  get refused(): readonly Refusal[] {
    if (this.#receiver) return this.#receiver.subscriptions.refused;
    const record = this.options.cache.get(RECORD);
    return record?.holder === this.lease.holder ? (record?.refused ?? []) : [];
  }

  /** The same, with the reasons by filter. */
  refusedFilters(): ReadonlyMap<string, string> {
    return new Map(this.refused.map(({ filter, reason }) => [filter, reason]));
  }

  get #wantedDigest(): string {
    this.#digest ??= digestOf(this.options.wanted());
    return this.#digest;
  }

  /** Resolves true once synchronized, or false after `timeoutMs`, since the broker may be unavailable. */
  untilSynchronized(timeoutMs: number): Promise<boolean> {
    return this.#untilSynchronized.within(timeoutMs);
  }

  /** Ends the intake before it releases the lease, so that no message reaches two instances. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    const receiver = this.#receiver;
    this.#receiver = undefined;
    await Promise.allSettled([this.#ended, receiver?.finish()]);
    await this.lease.stop();
  }

  #begin(): void {
    if (this.#stopped) return;
    const receiver = this.options.openReceiver({ lease: this.lease, onChange: () => this.#changed() });
    this.#receiver = receiver;
    // The sessions of the previous term have the same client ids and must end first.
    this.#begun = this.#ended.then(() => receiver.start());
  }

  #abandon(): void {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    this.#ended = Promise.allSettled([this.#ended, receiver?.abandon()]);
    this.#untilSynchronized.check();
  }

  #changed(): void {
    // A lost connection may be the first sign of another receiver.
    if (this.#receiver && !this.#receiver.subscriptions.connected) void this.lease.check();
    // So may a record whose holder is not the known one.
    else if (this.options.cache.get(RECORD)?.holder !== this.lease.holder)
      void this.lease.check().then(() => this.#untilSynchronized.check());
    this.#untilSynchronized.check();
    void this.#updateRecord();
  }

  /**
   * Returns undefined if there is nothing to write: while the receiver is connected but not synchronized, the stored digest
   * differs from the wanted one anyway.
   */
  #record(): ReceiverRecord | undefined {
    if (!this.#receiver) return undefined;
    if (!this.lease.isValid) throw new Error("the store has not confirmed for a while that this instance receives");
    const { isSynchronized, connected, refused } = this.#receiver.subscriptions;
    if (!isSynchronized && connected) return undefined;
    const digest = isSynchronized ? this.#wantedDigest : null;
    return {
      holder: this.lease.holder!,
      digest,
      ...(refused.length > 0 && { refused: refused.slice(0, MAX_REFUSED) }),
    };
  }

  async #updateRecord(): Promise<void> {
    if (this.#updating) return;
    this.#updating = true;
    clearTimeout(this.#retry);
    try {
      for (
        let record = this.#record();
        record && !isSame(record, this.options.cache.get(RECORD));
        record = this.#record()
      )
        await this.#write(record);
    } catch (error) {
      this.options.onError(error as Error);
      this.#retry = setTimeout(() => void this.#updateRecord(), RETRY_MS).unref();
    } finally {
      this.#updating = false;
    }
  }

  async #write(record: ReceiverRecord): Promise<void> {
    const { cache } = this.options;
    if (await cache.update(RECORD, () => record)) return;
    if (!(await cache.create(RECORD, record)))
      throw new Error("the receiver's record is being changed by other instances");
  }
}

function isSame(a: ReceiverRecord, b: ReceiverRecord | undefined): boolean {
  const isSameRefused = JSON.stringify(a.refused) === JSON.stringify(b?.refused);
  return a.holder === b?.holder && a.digest === b.digest && isSameRefused;
}

/** Digest of filters and their QoS; equal on every instance for the same filters and QoS. */
export function digestOf(webhooks: Iterable<{ topics: string[]; qos: QoS }>): string {
  const wanted = [...wantedFilters(webhooks)].sort(([a], [b]) => (a < b ? -1 : 1));
  return shortDigest(JSON.stringify(wanted));
}
