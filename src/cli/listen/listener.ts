/** Prints and forwards the deliveries of a pull webhook, one after the other. */
import { setTimeout as delay } from "node:timers/promises";
import { type Causeway, type Pulled, payloadText } from "../../client/index.ts";
import { eventJson, eventLine } from "../commands/tail.ts";
import { failureOf } from "../failures.ts";
import type { Output } from "../output/output.ts";
import { printable } from "../output/printable.ts";
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
      if (this.#paused) {
        // It came in the call that was waiting already, and its lease may be shorter than the pause.
        await delivery.nack().catch(() => undefined);
        await this.#paused;
        continue;
      }
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
    this.#resume();
  }

  togglePause(): void {
    const { output } = this.options;
    if (this.#paused) {
      output.note("continued");
      this.#resume();
      return;
    }
    this.#paused = new Promise((resolve) => {
      this.#resume = () => {
        this.#paused = undefined;
        resolve();
      };
    });
    output.note("paused: messages are kept; p continues");
  }

  /** Forwards the last event once more, whatever became of it. */
  async retry(): Promise<void> {
    const { receiver, output } = this.options;
    if (!receiver) output.note("nothing to retry: events are forwarded with --forward-to");
    else if (!this.#last) output.note("no event yet");
    else await this.#forward(this.#last, receiver);
  }

  inspect(): void {
    const { output } = this.options;
    if (!this.#last) output.note("no event yet");
    else for (const line of inspected(this.#last).split("\n")) output.line(printable(line));
  }

  /** Returns whether the delivery is acknowledged. */
  async #process(delivery: Pulled, endsAt: number): Promise<boolean> {
    const { receiver, output } = this.options;
    const { signal } = this.#stop;
    for (
      let ms = FIRST_RETRY_MS;
      receiver && !(await this.#forward(delivery, receiver, ms));
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

  /** @param againMs when it is tried again if it fails */
  async #forward(delivery: Pulled, receiver: LocalReceiver, againMs?: number): Promise<boolean> {
    const { output } = this.options;
    const { isAccepted, outcome, durationMs } = await forward(delivery, receiver, this.#stop.signal);
    if (output.isJson) output.problem("", { messageId: delivery.messageId, outcome, durationMs });
    else if (isAccepted) output.note(`  → ${outcome}, ${durationMs} ms`);
    else if (!this.#stop.signal.aborted) {
      const again = againMs === undefined ? "" : `, again in ${againMs / 1_000} s`;
      output.note(`  × ${outcome}, ${durationMs} ms${again}`);
    }
    return isAccepted;
  }

  #print({ event }: Pulled): void {
    const { output } = this.options;
    if (output.isJson) output.json(eventJson(event));
    else output.line(eventLine(event, output));
  }
}

/** The delivery over several lines; a JSON payload is the text that the device sent. */
function inspected({ event, attempt }: Pulled): string {
  const { data, ...rest } = event;
  const text = JSON.stringify({ attempt, ...rest }, null, 2);
  if (data === undefined) return text;
  const source = typeof data === "string" ? JSON.stringify(data) : payloadText(event);
  return `${text.slice(0, -2)},\n  "data": ${source}\n}`;
}
