/**
 * Which of several instances receives: the one that holds the lease of the lane. It writes down what the broker
 * subscribes it to, so that every instance knows whether that is what the registrations want.
 */
import { createHash } from "node:crypto";
import { Problem } from "../../errors.ts";
import { AwaitableCondition } from "../../lib/awaitable-condition.ts";
import type { QoS } from "../../message.ts";
import type { Lease } from "../../store/lease.ts";
import type { RecordCache } from "../../store/record-cache.ts";
import type { Receiver } from "./receiver.ts";
import type { Refusal, Session } from "./session.ts";
import { wantedFilters } from "./session-plan.ts";

/** The one lane there is: the sessions `<client id>-uplink-<n>`. */
export const RECEIVER = 0;
const RECORD = String(RECEIVER);

/** What the holder of a lane tells the others. */
export interface ReceiverRecord {
  /** The instance that wrote it; it means nothing once another one holds the lane. */
  holder: string;
  /** Of the filters that the broker subscribes it to, see {@link digestOf}; null while it is not connected. */
  digest: string | null;
  /** Filters among them that the broker refuses; absent when there are none. */
  refused?: Refusal[];
}

export interface ReceiverElectionOptions<S extends Session> {
  openLease(callbacks: { onGained(): void; onLost(): void }): Lease;
  cache: RecordCache<ReceiverRecord>;
  wanted(): Iterable<{ topics: string[]; qos: QoS }>;
  openReceiver(onChange: () => void): Receiver<S>;
  onError(error: Error): void;
}

const RETRY_MS = 1_000;
/** Refused filters that the other instances are told of: the record is read by all of them at every change. */
const MAX_REFUSED = 200;

export class ReceiverElection<S extends Session> {
  readonly lease: Lease;
  #receiver: Receiver<S> | undefined;
  #begun: Promise<unknown> = Promise.resolve();
  #ended: Promise<unknown> = Promise.resolve();
  readonly #untilInStep = new AwaitableCondition(() => this.inStep);
  /** Of what is wanted now; computed when it is asked for, since with thousands of filters it takes a while. */
  #digest: string | undefined;
  #telling = false;
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(private readonly options: ReceiverElectionOptions<S>) {
    this.lease = options.openLease({ onGained: () => this.#begin(), onLost: () => this.#abandon() });
  }

  /** Resolves once the lane is begun here, or another instance is known to have it. The view must have been started. */
  async start(): Promise<void> {
    this.options.cache.onChange(() => this.#changed());
    await this.lease.start();
    await this.#begun;
  }

  get receiver(): Receiver<S> | undefined {
    return this.#receiver;
  }

  /** The registrations, or other things that say what is wanted, have changed. */
  refresh(): void {
    this.#digest = undefined;
    this.#receiver?.subscriptions.refresh();
    this.#untilInStep.check();
  }

  /**
   * Whether the broker subscribes the holder, here or elsewhere, to exactly what this instance wants; false while the
   * holder has no connection, and while nobody is known to hold the lane.
   */
  get inStep(): boolean {
    if (this.#receiver) return this.#receiver.subscriptions.inStep;
    const told = this.options.cache.get(RECORD);
    return told !== undefined && told.holder === this.lease.holder && told.digest === this.#wantedDigest;
  }

  /** Filters that the broker does not subscribe the holder to, here or elsewhere. */
  get refused(): readonly Refusal[] {
    if (this.#receiver) return this.#receiver.subscriptions.refused;
    const told = this.options.cache.get(RECORD);
    return told?.holder === this.lease.holder ? (told?.refused ?? []) : [];
  }

  get #wantedDigest(): string {
    this.#digest ??= digestOf(this.options.wanted());
    return this.#digest;
  }

  /** Resolves true once in step, and false after `timeoutMs`: the broker may be away. */
  untilInStep(timeoutMs: number): Promise<boolean> {
    return this.#untilInStep.within(timeoutMs);
  }

  /** Ends the intake and then gives the lane away, so that nothing reaches two instances. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    const tenure = this.#receiver;
    this.#receiver = undefined;
    await Promise.allSettled([this.#ended, tenure?.finish()]);
    await this.lease.stop();
  }

  #begin(): void {
    if (this.#stopped) return;
    const tenure = this.options.openReceiver(() => this.#changed());
    this.#receiver = tenure;
    // Sessions of an earlier tenure have the same client ids.
    this.#begun = this.#ended.then(() => tenure.start());
  }

  #abandon(): void {
    const tenure = this.#receiver;
    this.#receiver = undefined;
    this.#ended = Promise.allSettled([this.#ended, tenure?.abandon()]);
    this.#untilInStep.check();
  }

  #changed(): void {
    // A connection that broke may be the first sign of another holder.
    if (this.#receiver && !this.#receiver.subscriptions.connected) void this.lease.check();
    // Nor does this instance know yet who has written the record.
    else if (this.options.cache.get(RECORD)?.holder !== this.lease.holder)
      void this.lease.check().then(() => this.#untilInStep.check());
    this.#untilInStep.check();
    void this.#tell();
  }

  /** Undefined when there is nothing new to say: what was told before differs from what is wanted now. */
  #record(): ReceiverRecord | undefined {
    if (!this.#receiver) return undefined;
    if (!this.lease.isValid) throw new Error("the store has not confirmed for a while that this instance receives");
    const { inStep, connected, refused } = this.#receiver.subscriptions;
    if (!inStep && connected) return undefined;
    const digest = inStep ? this.#wantedDigest : null;
    return {
      holder: this.lease.holder!,
      digest,
      ...(refused.length > 0 && { refused: refused.slice(0, MAX_REFUSED) }),
    };
  }

  async #tell(): Promise<void> {
    if (this.#telling) return;
    this.#telling = true;
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
      this.#retry = setTimeout(() => void this.#tell(), RETRY_MS).unref();
    } finally {
      this.#telling = false;
    }
  }

  async #write(record: ReceiverRecord): Promise<void> {
    const { cache: view } = this.options;
    try {
      await view.update(RECORD, () => record);
    } catch (error) {
      if (!(error instanceof Problem && error.code === "not_found")) throw error;
      if (!(await view.create(RECORD, record)))
        throw new Problem("conflict", "the lane's record is being changed by others");
    }
  }
}

function isSame(a: ReceiverRecord, b: ReceiverRecord | undefined): boolean {
  const isSameRefused = JSON.stringify(a.refused) === JSON.stringify(b?.refused);
  return a.holder === b?.holder && a.digest === b.digest && isSameRefused;
}

/** The same for the same filters at the same QoS, on every instance. */
export function digestOf(webhooks: Iterable<{ topics: string[]; qos: QoS }>): string {
  const wanted = [...wantedFilters(webhooks)].sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(wanted)).digest("base64url").slice(0, 22);
}
