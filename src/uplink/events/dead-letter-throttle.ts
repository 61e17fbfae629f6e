/**
 * Limits the events about dead letters per webhook, and counts the suppressed ones: ten thousand dead letters in a
 * second must not become as many events.
 */

export interface DeadLettersOptions<T> {
  /** Announces a dead letter, and the number of suppressed ones before it. Rejects on failure. */
  announce(webhookId: string, letter: T, suppressed: number): Promise<void>;
  onSuppressed(): void;
  onError(error: Error): void;
  /** For tests. */
  maxAMinute?: number;
  minuteMs?: number;
}

/** Maximum number of events per webhook and minute on one instance. */
const MAX_A_MINUTE = 10;
const MINUTE_MS = 60_000;

interface Minute<T> {
  announced: number;
  suppressed: number;
  /** Latest suppressed dead letter, announced for all suppressed ones when the minute is over. */
  last?: T;
  timer: NodeJS.Timeout;
}

export class DeadLetterThrottle<T> {
  readonly #minutes = new Map<string, Minute<T>>();

  constructor(private readonly options: DeadLettersOptions<T>) {}

  /** Never rejects. Resolves when the event is durable or suppressed. */
  async add(webhookId: string, letter: T): Promise<void> {
    const { maxAMinute = MAX_A_MINUTE } = this.options;
    const minute = this.#minutes.get(webhookId) ?? this.#begin(webhookId);
    if (minute.announced >= maxAMinute) {
      minute.suppressed++;
      minute.last = letter;
      this.options.onSuppressed();
      return;
    }
    minute.announced++;
    await this.#announce(webhookId, letter, 0);
  }

  /** Forgets a removed webhook. */
  forget(webhookId: string): void {
    clearTimeout(this.#minutes.get(webhookId)?.timer);
    this.#minutes.delete(webhookId);
  }

  /** Announces the dead letters suppressed so far. */
  async stop(): Promise<void> {
    await Promise.all([...this.#minutes.keys()].map((webhookId) => this.#end(webhookId)));
  }

  #begin(webhookId: string): Minute<T> {
    const { minuteMs = MINUTE_MS } = this.options;
    const timer = setTimeout(() => void this.#end(webhookId), minuteMs).unref();
    const minute: Minute<T> = { announced: 0, suppressed: 0, timer };
    this.#minutes.set(webhookId, minute);
    return minute;
  }

  async #end(webhookId: string): Promise<void> {
    const { suppressed = 0, last } = this.#minutes.get(webhookId) ?? {};
    this.forget(webhookId);
    if (last !== undefined) await this.#announce(webhookId, last, suppressed - 1);
  }

  async #announce(webhookId: string, letter: T, suppressed: number): Promise<void> {
    await this.options.announce(webhookId, letter, suppressed).catch((error: Error) => this.options.onError(error));
  }
}
