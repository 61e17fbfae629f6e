/** The state of a webhook in words. Pure. */
import type { Delivery, MetricsPoint, Webhook } from "causeway-mqtt/client";
import { countOf, formatClock, formatRelative, formatShare } from "../../../data/format.ts";
import { causeOf } from "../../../data/states.ts";

export interface Moment {
  now: number;
  isUtc: boolean;
}

/** Deliveries that wait: for a first attempt, for another one, or under way. */
export function waitingOf({ counts }: Pick<Webhook, "counts">): number {
  return counts.pending + counts.retrying + counts.active;
}

/** `Failing since 14:02:03 (connection refused). Next try in 3 min.` @param retrying deliveries that wait for another attempt */
export function stateInWords(webhook: Webhook, retrying: readonly Delivery[], moment: Moment): string {
  const clock = (at: string) => formatClock(Date.parse(at), moment.now, moment.isUtc);
  const waiting = waitingOf(webhook);
  const kept = waiting === 0 ? "" : ` ${countOf(waiting, "delivery waits", "deliveries wait")}.`;
  const { state, disabled, verification } = webhook;
  if (state === "disabled") {
    return `Disabled${disabled ? ` since ${clock(disabled.at)}: ${sentence(disabled.reason)}` : "."}${kept}`;
  }
  if (verification?.state === "pending") return `Waits for the consent of its receiver.${kept}`;
  if (state === "paused") return `Paused.${kept || " Nothing waits."}`;
  const cause = lastCause(retrying);
  if (state === "failing") {
    const since = webhook.failingSince ? ` since ${clock(webhook.failingSince)}` : "";
    // The circuit breaker decides, not the schedules of the deliveries.
    const next = webhook.nextProbeAt ? tryAt(Date.parse(webhook.nextProbeAt), moment.now) : "";
    return `Failing${since}${cause ? ` (${cause})` : ""}.${next}${kept}`;
  }
  const refused = webhook.refusedTopics?.length ?? 0;
  if (refused > 0) return `The broker refuses ${countOf(refused, "topic filter")}.${kept}`;
  if (webhook.counts.retrying > 0) {
    const what = countOf(webhook.counts.retrying, "delivery is", "deliveries are");
    return `Delivering, but ${what} tried again${cause ? ` (${cause})` : ""}.${nextTry(retrying, moment.now)}`;
  }
  return `Delivering.${ended(webhook)}${kept}`;
}

function ended({ counts }: Webhook): string {
  const { succeeded, failed } = counts;
  if (succeeded === 0 && failed === 0) return waitingOf({ counts }) === 0 ? " No message has matched yet." : "";
  if (failed > 0) return ` ${countOf(failed, "delivery that is kept was", "deliveries that are kept were")} given up.`;
  return " None of the deliveries that are kept failed.";
}

/**
 * `98.7 % of finished deliveries succeeded, 6 attempts repeated`. A delivery that is tried again is not finished, so
 * that the share alone would look like nothing failed.
 */
export function outcomeInWords(points: readonly MetricsPoint[]): string {
  const sum = (read: (point: MetricsPoint) => number) => points.reduce((total, point) => total + read(point), 0);
  const [succeeded, retried] = [sum((point) => point.succeeded), sum((point) => point.retried)];
  const finished = succeeded + sum((point) => point.failed);
  if (finished + retried === 0) return "";
  const share =
    finished === 0 ? "No delivery finished" : `${formatShare(succeeded, finished)} of finished deliveries succeeded`;
  return retried === 0 ? share : `${share}, ${countOf(retried, "attempt")} repeated`;
}

/** The cause of the latest failed attempt. */
export function lastCause(retrying: readonly Delivery[]): string | undefined {
  const attempts = retrying.flatMap(({ lastAttempt }) => (lastAttempt ? [lastAttempt] : []));
  const latest = attempts.sort((a, b) => Date.parse(b.at) - Date.parse(a.at))[0];
  return latest && causeOf(latest);
}

function nextTry(retrying: readonly Delivery[], now: number): string {
  const times = retrying.flatMap(({ nextAttemptAt }) => (nextAttemptAt ? [Date.parse(nextAttemptAt)] : []));
  if (times.length === 0) return "";
  return tryAt(Math.min(...times), now);
}

function tryAt(at: number, now: number): string {
  return at - now < 1_000 ? " Next try now." : ` Next try ${formatRelative(at, now)}.`;
}

function sentence(text: string): string {
  return /[.]$/.test(text) ? text : `${text}.`;
}
