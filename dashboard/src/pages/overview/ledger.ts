/** The books as two lines that close, or say that they do not. Pure. */
import type { Books } from "./status.ts";

export interface BookLine {
  text: string;
  /** The amount missing from the right side, 0 if the line closes. */
  missing: number;
}

type Part = [count: number, words: string];

/** All digits, for sums that a reader adds up. */
const WHOLE = new Intl.NumberFormat("en");

export function bookLines({ messages, deliveries }: Books): BookLine[] {
  const { noWebhook, tooLarge, retainedSkipped } = messages.unmatchedBy;
  return [
    line("Received", messages.received, [
      [messages.enqueued, "enqueued"],
      [noWebhook, "without a webhook"],
      ...present([
        [tooLarge, "too large"],
        [retainedSkipped, "retained before the bridge subscribed"],
      ]),
    ]),
    line("Deliveries", deliveries.enqueued, [
      [deliveries.succeeded, "succeeded"],
      [deliveries.failed, "failed"],
      [deliveries.waiting, "waiting"],
      ...present([[deliveries.discarded, "discarded"]]),
    ]),
  ];
}

function line(word: string, total: number, parts: Part[]): BookLine {
  const sum = parts.reduce((all, [count]) => all + count, 0);
  const terms = parts.map(([count, words]) => `${WHOLE.format(count)} ${words}`).join(" + ");
  const missing = total - sum;
  return { text: `${word} ${WHOLE.format(total)} ${missing === 0 ? "=" : "≠"} ${terms}`, missing };
}

function present(parts: Part[]): Part[] {
  return parts.filter(([count]) => count !== 0);
}
