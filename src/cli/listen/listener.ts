/** Prints and forwards the deliveries of a pull webhook, one after the other. */
import { setTimeout as delay } from "node:timers/promises";
import type { Causeway, Pulled } from "../../client/index.ts";
import { eventJson, eventLine } from "../commands/tail.ts";
import { failureOf } from "../failures.ts";
import type { Output } from "../output/output.ts";
import { forward, type LocalReceiver } from "./forward.ts";

export interface ListenerOptions {
  causeway: Causeway;
  webhookId: string;
  /** Absent: events are only printed. */
  receiver: LocalReceiver | undefined;
  leaseSeconds: number;
  /** Ends after this many events. */
  count: number;
  output: Output;
}

const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;
/** A lease that is about to run out is not used for another call. */
const RESERVE_MS = 1_000;

export class LocalListener {
  readonly #stop = new AbortController();
  #last: Pulled | undefined;
  #paused: Promise<void> | undefined;
  #resume = () => {};

  constructor(private readonly options: ListenerOptions) {}

  async run(): Promise<void> {
    const { causeway, webhookId, leaseSeconds, output } = this.options;
    const { signal } = this.#stop;
    let left = this.options.count;
    const onRetry = (cause: unknown) => {
      const { detail } = failureOf(cause);
      output.problem(`the bridge is not reached, nothing is lost, trying again: ${detail}`, {
        code: "retrying",
        detail,
      });
    };
    // One at a time: no lease runs out while an earlier delivery is retried, or while this program is paused.
    for await (const delivery of causeway.pull(webhookId, { max: 1, leaseSeconds, signal, onRetry })) {
      const endsAt = Date.now() + leaseSeconds * 1_000 - RESERVE_MS;
      this.#last = delivery;
      this.#print(delivery);
      if (await this.#process(delivery, endsAt)) left--;
      if (left === 0) return;
      await this.#paused;
    }
  }

  stop(): void {
    this.#stop.abort();
    if (this.#paused) this.#resume();
  }

  togglePause(): void {
    if (this.#paused) {
      this.#resume();
      return;
    }
    this.#paused = new Promise((resolve) => {
      this.#resume = () => {
        this.#paused = undefined;
        this.options.output.note("continued");
        resolve();
      };
    });
    this.options.output.note("paused: messages are kept; p continues");
  }

  /** Forwards the last event once more, whatever became of it. */
  async retry(): Promise<void> {
    if (this.#last && this.options.receiver) await this.#forward(this.#last, this.options.receiver);
  }

  inspect(): void {
    if (this.#last) this.options.output.line(JSON.stringify(this.#last.event, null, 2));
  }

  /** Returns whether the delivery is acknowledged. */
  async #process(delivery: Pulled, endsAt: number): Promise<boolean> {
    const { receiver, output } = this.options;
    const { signal } = this.#stop;
    for (
      let ms = FIRST_RETRY_MS;
      receiver && !(await this.#forward(delivery, receiver));
      ms = Math.min(2 * ms, MAX_RETRY_MS)
    ) {
      await delay(ms, undefined, { signal }).catch(() => undefined);
      if (!signal.aborted && Date.now() < endsAt) continue;
      await delivery.nack().catch(() => undefined);
      return false;
    }
    try {
      if (await delivery.ack()) return true;
      output.problem("its lease had run out: the event comes again", {
        code: "lease_expired",
        messageId: delivery.messageId,
      });
    } catch (error) {
      const { code, detail } = failureOf(error);
      output.problem(`not acknowledged, the event comes again: ${detail}`, { code, detail });
    }
    return false;
  }

  async #forward(delivery: Pulled, receiver: LocalReceiver): Promise<boolean> {
    const { output } = this.options;
    const { isAccepted, outcome, durationMs } = await forward(delivery, receiver, this.#stop.signal);
    if (output.isJson) output.problem("", { messageId: delivery.messageId, outcome, durationMs });
    else output.note(`  ${isAccepted ? "→" : "×"} ${outcome} ${durationMs} ms`);
    return isAccepted;
  }

  #print({ event }: Pulled): void {
    const { output } = this.options;
    if (output.isJson) output.json(eventJson(event));
    else output.line(eventLine(event, output));
  }
}
