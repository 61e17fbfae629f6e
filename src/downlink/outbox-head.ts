/**
 * Head of the outbox: publishes one message at a time; a message that cannot be published yet keeps its position. No
 * later message overtakes it, and an unavailable broker costs no attempt.
 */
import { type Job, WaitingError } from "bullmq";
import { reasonOf } from "../security/redaction.ts";
import type { OutgoingMessage, Publish } from "./publish.ts";
import { sendFault } from "./sendable.ts";
import {
  type Ending,
  endingOf,
  type Failed,
  fromJob,
  isExpired,
  type OutboxJob,
  type PublishGate,
  ShutForGood,
} from "./stored-publish.ts";

export interface OutboxHeadOptions {
  publish: Publish;
  broker: {
    readonly connected: boolean;
    /** Resolves once connected; rejects when the signal ends the wait. */
    untilConnected(signal: AbortSignal): Promise<void>;
  };
  gates: Record<string, PublishGate>;
  /**
   * Renews the lock of a waiting job and reports whether the job was cancelled meanwhile. `lost`: another worker holds
   * the job, or it is gone. Rejects if the store is unavailable.
   */
  lookUp(job: Job<OutboxJob>, token: string): Promise<"ours" | "cancelled" | "lost">;
  /** Called for an error after which the head retries by itself. */
  onTrouble(message: OutgoingMessage, error: string): void;
  /**
   * Called when a message has failed, before the job records it, and again if this process ends between the two.
   * Rejects if the call must be repeated.
   */
  onFailed?(message: OutgoingMessage, failed: Failed): Promise<void>;
  /** For tests: milliseconds before each retry; the last value applies to all further retries. */
  backoffMs?: readonly number[];
}

const BACKOFF_MS = [1_000, 5_000, 30_000, 60_000];
/**
 * A message that a broker never acknowledges (QoS 2 on Mosca, or a size at which it closes the connection) must not
 * hold up all others for ever. With the pauses, five timeouts take two and a half minutes: a stuck broker is noticed
 * earlier.
 */
const MAX_TIMEOUTS = 5;
/** Nor must a message whose gate stays closed: this limit is about a minute after the broker connects. */
const MAX_SHUT = 12;
/** The longest pause after a failure in which nothing was sent: its cause may end at any moment. */
const SHORT_PAUSE_MS = 5_000;
/** Interval at which a message that waits for the broker is looked up in the store. */
const LOOK_UP_MS = 1_000;
/** Time limit of one call of a gate, which is then called again. */
const GATE_MS = 10_000;

/** State of a message while it is at the head. */
interface HeadTurn {
  job: Job<OutboxJob>;
  token: string;
  /** Time has passed since the job was read: it may have been cancelled, or another worker may hold it. */
  stale: boolean;
  failures: number;
  /** Number of calls of its gate that rejected. */
  shut: number;
  /** Number of publishes without an acknowledgement: the message may have been published. */
  timeouts: number;
  /** The gate has opened, and the connection has not been lost since. */
  passed: boolean;
}

export class OutboxHead {
  readonly #options: OutboxHeadOptions;
  readonly #backoffMs: readonly number[];
  #stopped = false;
  #wake = () => {};
  /**
   * Ending of the last message. If the store failed before the ending was recorded, the job comes back and must not be
   * published again.
   */
  #last: { id: string; ending: Ending } | undefined;

  constructor(options: OutboxHeadOptions) {
    this.#options = options;
    this.#backoffMs = options.backoffMs ?? BACKOFF_MS;
  }

  /** Returns the message at the head to its position instead of waiting any longer. */
  stop(): void {
    this.#stopped = true;
    this.#wake();
  }

  /** Looks up the message at the head in the store now, if it waits. */
  lookUp(): void {
    this.#wake();
  }

  /** Processor of the queue. @throws WaitingError if the message was given back */
  async publish(job: Job<OutboxJob>, token: string): Promise<Ending> {
    const id = job.id!;
    const turn: HeadTurn = { job, token, stale: false, failures: 0, shut: 0, timeouts: 0, passed: false };
    let ending = this.#last?.id === id ? this.#last.ending : undefined;
    while (!ending) ending = await this.#step(turn);
    if (ending.outcome === "failed" && turn.timeouts > 0) ending = { ...ending, sent: true };
    this.#last = { id, ending };
    if (ending.outcome === "failed") await this.#tellFailed(turn, ending);
    return ending;
  }

  async #tellFailed({ job, token }: HeadTurn, failed: Failed): Promise<void> {
    const message = fromJob(job.id!, job.data, Date.now());
    for (;;) {
      try {
        return await this.#options.onFailed?.(message, failed);
      } catch (error) {
        if (this.#stopped) return giveBack(job, token);
        this.#options.onTrouble(message, reasonOf(error));
        await this.#pause(LOOK_UP_MS);
      }
    }
  }

  /** Checks all conditions once, in order; returns undefined if they must be checked again. */
  async #step(turn: HeadTurn): Promise<Ending | undefined> {
    const { job, token } = turn;
    const { broker, publish } = this.#options;
    const at = Date.now();
    if (this.#stopped) return giveBack(job, token);
    if (job.data.cancelled) return { outcome: "cancelled", at };
    if (isExpired(job.data, at)) return { outcome: "expired", at };
    const fault = sendFault(job.data);
    if (fault) return { outcome: "failed", at, error: `${fault.path}: ${fault.message}` };
    if (turn.stale) {
      const state = await this.#options.lookUp(job, token).catch(() => "unknown");
      if (state === "lost") throw new Error("the job has passed into other hands");
      if (state === "cancelled" && turn.timeouts === 0) return { outcome: "cancelled", at };
      if (state === "unknown" && broker.connected) return this.#again(turn, "the store is away", LOOK_UP_MS);
      turn.stale = false;
    }
    if (!broker.connected) {
      turn.failures = turn.shut = 0;
      turn.passed = false;
      return this.#wait(turn, LOOK_UP_MS, (signal) => broker.untilConnected(signal));
    }
    const message = fromJob(job.id!, job.data, at);
    const opened = await this.#gate(turn, message);
    if (opened !== true) return opened;
    const result = await publish(fromJob(job.id!, job.data, Date.now()));
    const ending = endingOf(result, Date.now());
    if (ending) return ending;
    if (result.kind === "timeout" && ++turn.timeouts === MAX_TIMEOUTS) {
      const error = `published ${MAX_TIMEOUTS} times without an acknowledgement; it may have arrived`;
      return { outcome: "failed", at: Date.now(), error };
    }
    if (result.kind === "unavailable" && !broker.connected) return undefined;
    return this.#again(turn, result.kind, result.kind === "timeout" ? Number.POSITIVE_INFINITY : SHORT_PAUSE_MS);
  }

  /** Returns true if the message may pass; otherwise its ending, or undefined to check again. */
  async #gate(turn: HeadTurn, message: OutgoingMessage): Promise<true | Ending | undefined> {
    const name = turn.job.data.before;
    if (name === undefined || turn.passed) return true;
    const gate = this.#options.gates[name];
    if (!gate) return { outcome: "failed", at: Date.now(), error: `this version knows no gate "${name}"` };
    let error: string | undefined;
    let forGood = false;
    const since = Date.now();
    await this.#wait(turn, GATE_MS, async (signal) => {
      await gate(message, signal).then(
        () => (turn.passed = true),
        (cause: Error) => {
          error = reasonOf(cause);
          forGood = cause instanceof ShutForGood;
        },
      );
    });
    if (error !== undefined && (forGood || ++turn.shut === MAX_SHUT))
      return { outcome: "failed", at: Date.now(), error };
    if (error !== undefined) return this.#again(turn, error, SHORT_PAUSE_MS);
    if (!turn.passed || Date.now() - since > LOOK_UP_MS) return undefined;
    turn.stale = false;
    return true;
  }

  async #again(turn: HeadTurn, error: string, longestMs: number): Promise<undefined> {
    const { job } = turn;
    this.#options.onTrouble(fromJob(job.id!, job.data, Date.now()), error);
    const pause = this.#backoffMs[Math.min(turn.failures++, this.#backoffMs.length - 1)]!;
    await this.#wait(turn, Math.min(pause, longestMs));
  }

  /** Waits for `what`, at most `ms` or until the message expires; `lookUp` and `stop` end the wait early. */
  async #wait(turn: HeadTurn, ms: number, what?: (signal: AbortSignal) => Promise<void>): Promise<undefined> {
    turn.stale = true;
    if (this.#stopped) return;
    const { expiresAt } = turn.job.data;
    await this.#pause(expiresAt === undefined ? ms : Math.max(0, Math.min(ms, expiresAt - Date.now())), what);
  }

  async #pause(ms: number, what?: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(), ms);
    const ended = new Promise<void>((resolve) => over.signal.addEventListener("abort", () => resolve()));
    this.#wake = () => over.abort();
    await Promise.race([ended, ...(what ? [what(over.signal).catch(() => undefined)] : [])]);
    clearTimeout(timer);
    over.abort();
  }
}

/** Returns the job to its position. If the store is unavailable, the job stays locked until its lock expires. */
async function giveBack(job: Job<OutboxJob>, token: string): Promise<never> {
  await job.moveToWait(token).catch(() => undefined);
  throw new WaitingError();
}
