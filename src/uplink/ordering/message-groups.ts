/**
 * Order of deliveries, as pure functions: message groups, places, and the delay of a postponed delivery.
 *
 * A *message group* holds the deliveries of one webhook that run one after the other: those of one topic (`topic`), or
 * all (`strict`). Each delivery names its predecessor, `previous`, and is called only when the predecessor has ended:
 * delivered, failed for good, or removed. The order depends on nothing else, so it survives retries, restarts and any
 * number of instances.
 *
 * A delivery whose predecessor has not ended is *postponed*: it gets a long delay in the queue, and the process that
 * ends a delivery first promotes its successor. The delay only matters if a promotion was lost, so a long group costs
 * nothing while its head waits for another attempt.
 */
import { backoffMs, withJitter } from "../../lib/backoff.ts";
import { shortDigest } from "../../lib/digest.ts";
import type { Webhook } from "../../webhooks/webhook.ts";
import type { JobState } from "../queue/delivery-queue.ts";
import type { Place } from "../queue/job.ts";

export type Ordering = NonNullable<Webhook["ordering"]>;

export function isOrdered(webhook: Pick<Webhook, "ordering"> | undefined): boolean {
  return webhook?.ordering !== undefined && webhook.ordering !== "none";
}

/** Key of a group tail in the store. Topics are hashed because they may be long and contain any character. */
export function groupTailKey(webhookId: string, ordering: Exclude<Ordering, "none">, topic: string): string {
  if (ordering === "strict") return `tail-${webhookId}-strict`;
  return `tail-${webhookId}-${shortDigest(topic)}`;
}

/**
 * Value of a group tail: the last delivery, and the tail before it. The value is written before the deliveries, so
 * after a crash the last delivery may never have been added: then the tail before it counts.
 */
export function groupTailValue(last: string, before: string | undefined): string {
  return before === undefined ? last : `${last} ${before}`;
}

export function parseGroupTail(value: string): { last: string; before: string | undefined } {
  const [last = "", before] = value.split(" ");
  return { last, before };
}

/** Groups jobs by message group and keeps their order. */
export function byGroup<J extends { data: { topic: string } }>(
  jobs: readonly J[],
  keyOf: (topic: string) => string,
): Map<string, J[]> {
  const groups = new Map<string, J[]>();
  for (const job of jobs) {
    const key = keyOf(job.data.topic);
    const group = groups.get(key);
    if (group) group.push(job);
    else groups.set(key, [job]);
  }
  return groups;
}

/**
 * Returns the places of jobs that are added together, in their order.
 * @param tails the last delivery of each message group before the jobs, if there is one
 * @param lastSequence the sequence of the last job
 */
export function places(
  jobs: readonly { id: string; data: { topic: string } }[],
  keyOf: (topic: string) => string,
  tails: ReadonlyMap<string, string>,
  lastSequence: number,
): Map<string, Place> {
  const sequences = new Map(jobs.map(({ id }, i) => [id, lastSequence - jobs.length + 1 + i]));
  const found = new Map<string, Place>();
  for (const [key, group] of byGroup(jobs, keyOf)) {
    for (const [i, { id }] of group.entries()) {
      const previous = i === 0 ? tails.get(key) : group[i - 1]!.id;
      const next = group[i + 1]?.id;
      found.set(id, {
        sequence: sequences.get(id)!,
        ...(previous !== undefined && { previous }),
        ...(next === undefined ? { tail: { key, value: groupTailValue(id, tails.get(key)) } } : { next }),
      });
    }
  }
  return found;
}

/** CloudEvents `sequence` sorts as text: padded to the digits of the largest exact number. */
export function sequenceText(sequence: number): string {
  return String(sequence).padStart(16, "0");
}

const POSTPONE_MIN_MS = 10 * 60_000;
const POSTPONE_MAX_MS = 12 * 3_600_000;
/** Delays while another process runs the predecessor, or ran it when it died. */
const SHORT_MIN_MS = 250;
const SHORT_MAX_MS = 5_000;

/**
 * Milliseconds by which to postpone a delivery that will be promoted; doubles, with jitter, so that a long message
 * group does not return at once.
 * @param checks number of checks so far: 0 when the delivery is added postponed
 */
export function postponeMs(checks: number, random: () => number = Math.random): number {
  return withJitter(2 * backoffMs(checks + 1, POSTPONE_MIN_MS, POSTPONE_MAX_MS), random);
}

/** Milliseconds until the next check of a delivery that may never be promoted. @param checks number of checks so far */
export function shortPostponeMs(checks: number): number {
  return backoffMs(checks, SHORT_MIN_MS, SHORT_MAX_MS);
}

/** Whether the delivery has ended in this state. A missing job counts as ended: it was kept long enough. */
export function isEnd(state: JobState | "gone"): boolean {
  return state === "completed" || state === "failed" || state === "gone";
}
