/**
 * Order of pulled deliveries. As in the predecessor gate, a delivery waits until its predecessor has ended, and
 * successors are promoted before the end of a delivery is stored, so that a crash in between loses no promotion. There is
 * no state in memory, since each step of a delivery may be made by another process:
 * - A delivery whose predecessor is leased checks again soon: the predecessor may end before it finds the successor.
 * - Successors are promoted once more after the end, because those that checked in between were postponed again.
 */

import type { Webhook } from "../../webhooks/webhook.ts";
import { isEnd, isOrdered, postponeMs, shortPostponeMs } from "../ordering/message-groups.ts";
import type { DeliveryQueue } from "../queue/delivery-queue.ts";
import { type GroupTail, type QueuedJob, successorsOf } from "../queue/job.ts";

type OrderQueue = Pick<DeliveryQueue, "stateOf" | "recordSuccessor" | "promote" | "get"> & {
  leases: Pick<DeliveryQueue["leases"], "postpone">;
};

/** Whether a taken delivery may be handed out; otherwise it is postponed. */
export async function passes(webhook: Webhook, queue: OrderQueue, job: QueuedJob, token: string): Promise<boolean> {
  const previous = isOrdered(webhook) ? job.data.place?.previous : undefined;
  if (previous === undefined || isEnd(await queue.stateOf(previous))) return true;
  const isRecorded = await queue.recordSuccessor(previous, job.id!);
  // Read again: the predecessor may have ended without finding the successor.
  const state = await queue.stateOf(previous);
  if (isEnd(state)) return true;
  const checks = job.attemptsStarted;
  const ms = isRecorded && state !== "active" ? postponeMs(checks) : shortPostponeMs(checks);
  await queue.leases.postpone(job, token, ms);
  return false;
}

/** Makes the successors of a delivery wait for a consumer; call before its end is stored. */
export async function promoteSuccessors(queue: OrderQueue, job: QueuedJob): Promise<void> {
  for (const id of successorsOf(job)) await queue.promote(id);
}

/** Call after the end is stored. A failure only delays the successors. */
export async function afterEnd(
  queue: OrderQueue,
  job: QueuedJob,
  release: (tail: GroupTail) => Promise<void>,
): Promise<void> {
  const { place } = job.data;
  if (!place) return;
  try {
    // Read again: a successor may have recorded its id since.
    const ended = await queue.get(job.id!);
    if (ended) await promoteSuccessors(queue, ended);
    if (place.tail) await release(place.tail);
  } catch {
    // The successors check again soon, and the group tail expires.
  }
}
