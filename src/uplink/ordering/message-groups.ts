/**
 * The order of deliveries, pure: lines, what stands before what, and how long a delivery is parked.
 *
 * A *line* holds the deliveries of one webhook that go one after the other: those of one topic (`topic`), or all
 * (`strict`). Each knows the one before it, `previous`, and is called only when that one has ended: delivered, failed
 * for good, or gone. Nothing else makes the order, so it lasts through retries, restarts and any number of instances.
 *
 * What waits behind another one is *parked*: it lies in the queue with a long delay, and whoever ends a delivery wakes
 * the one behind it first. The delay itself only matters when a wake-up was lost; so a long line costs nothing while
 * its head waits for another attempt.
 */
import { createHash } from "node:crypto";
import type { Webhook } from "../../webhooks/webhook.ts";
import type { Place } from "../queue/job.ts";

export type Ordering = NonNullable<Webhook["ordering"]>;

export function isOrdered(webhook: Pick<Webhook, "ordering"> | undefined): boolean {
  return webhook?.ordering !== undefined && webhook.ordering !== "none";
}

/** A line's key in the store: topics may be long, and hold anything. */
export function groupTailKey(webhookId: string, ordering: Exclude<Ordering, "none">, topic: string): string {
  if (ordering === "strict") return `tail-${webhookId}-strict`;
  return `tail-${webhookId}-${createHash("sha256").update(topic).digest("base64url").slice(0, 22)}`;
}

/**
 * The value of a tail: the last delivery, and the one that was last before it was added. It is written before the
 * deliveries are, so after a crash the last one may never have been added: then the other one is the end.
 */
export function groupTailValue(last: string, before: string | undefined): string {
  return before === undefined ? last : `${last} ${before}`;
}

export function parseGroupTail(value: string): { last: string; before: string | undefined } {
  const [last = "", before] = value.split(" ");
  return { last, before };
}

/** Jobs by their line, in their order. */
export function byGroup<J extends { data: { topic: string } }>(
  jobs: readonly J[],
  keyOf: (topic: string) => string,
): Map<string, J[]> {
  const lines = new Map<string, J[]>();
  for (const job of jobs) {
    const key = keyOf(job.data.topic);
    const line = lines.get(key);
    if (line) line.push(job);
    else lines.set(key, [job]);
  }
  return lines;
}

/**
 * The places of jobs that are added together, in their order.
 * @param tails the last delivery of each line before them, where there is one
 * @param lastSequence the sequence of the last of them
 */
export function places(
  jobs: readonly { id: string; data: { topic: string } }[],
  keyOf: (topic: string) => string,
  tails: ReadonlyMap<string, string>,
  lastSequence: number,
): Map<string, Place> {
  const sequences = new Map(jobs.map(({ id }, i) => [id, lastSequence - jobs.length + 1 + i]));
  const found = new Map<string, Place>();
  for (const [key, line] of byGroup(jobs, keyOf)) {
    for (const [i, { id }] of line.entries()) {
      const previous = i === 0 ? tails.get(key) : line[i - 1]!.id;
      const next = line[i + 1]?.id;
      found.set(id, {
        sequence: sequences.get(id)!,
        ...(previous !== undefined && { previous }),
        ...(next === undefined ? { tail: { key, value: groupTailValue(id, tails.get(key)) } } : { next }),
      });
    }
  }
  return found;
}

/** CloudEvents `sequence` sorts as text: as many digits as the largest exact number has. */
export function sequenceText(sequence: number): string {
  return String(sequence).padStart(16, "0");
}

const POSTPONE_MIN_MS = 10 * 60_000;
const POSTPONE_MAX_MS = 12 * 3_600_000;
/** Behind one that another process has under way, or had when it died. */
const SHORT_MIN_MS = 250;
const SHORT_MAX_MS = 5_000;

/**
 * Milliseconds for which a delivery is parked that will be woken; doubling, and spread, so that a long line does not
 * come back at once.
 * @param looks how often it has been looked at: 0 when it is parked from the beginning
 */
export function postponeMs(looks: number, random: () => number = Math.random): number {
  return Math.round(Math.min(POSTPONE_MIN_MS * 2 ** looks, POSTPONE_MAX_MS) * (1 + random()));
}

/** Milliseconds until a look at one that nobody may wake. @param looks as often as it has been looked at */
export function shortPostponeMs(looks: number): number {
  return Math.min(SHORT_MIN_MS * 2 ** Math.max(0, looks - 1), SHORT_MAX_MS);
}

/** Whether a delivery in this state of its job has ended. A job that is not there any more was kept long enough. */
export function isEnd(state: string): boolean {
  return state === "completed" || state === "failed" || state === "unknown";
}
