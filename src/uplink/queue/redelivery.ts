/** Redelivers a delivery at a user's request. */
import type { Job, Queue } from "bullmq";
import { Problem } from "../../errors.ts";
import { lastInJob, rememberAttempts, withoutBody } from "./attempt-log.ts";
import { type Delivery, findJob, toDelivery } from "./delivery-queries.ts";
import type { DeliveryJob } from "./job.ts";

/** BullMQ's states of an ended job. */
export type EndState = "failed" | "completed";

/**
 * Returns a finished delivery to the queue with its whole schedule ahead and its attempts in the log.
 * @param ahead true: before all waiting deliveries; false: after them
 * @returns false when the job is gone or not in this state
 */
export async function enqueueAgain(
  queue: Queue<DeliveryJob>,
  job: Job<DeliveryJob>,
  state: EndState,
  ahead: boolean,
): Promise<boolean> {
  return unlessChanged(async () => {
    await rememberAttempts(queue, job, Date.now());
    await leaveGroup(job);
    // Both backends read the option from this job object and do not store it.
    job.opts.lifo = ahead;
    await job.retry(state, { resetAttemptsMade: true });
  });
}

/** @throws Problem not_found, conflict */
export async function retryDelivery(
  queue: Queue<DeliveryJob>,
  webhookId: string,
  messageId: string,
): Promise<Delivery> {
  const job = await findJob(queue, messageId);
  const last = lastInJob(job);
  const state = await job.getState();
  if (state === "active") throw new Problem("conflict", "the delivery is being sent just now");
  if (state === "waiting" || state === "prioritized") throw new Problem("conflict", "the delivery waits to be sent");
  const done =
    state === "failed" || state === "completed"
      ? await enqueueAgain(queue, job, state, true)
      : state === "delayed" && (await promote(job));
  if (!done) throw new Problem("conflict", "the delivery has changed meanwhile");
  const delivery = await toDelivery(queue, job, webhookId, "pending");
  return {
    ...delivery,
    nextAttemptAt: new Date().toISOString(),
    lastAttempt: last ? withoutBody(last) : delivery.lastAttempt,
  };
}

/** Removes the predecessor: a requested redelivery does not wait for the order of its webhook. */
async function leaveGroup(job: Job<DeliveryJob>): Promise<void> {
  const { place, ...data } = job.data;
  if (place?.previous === undefined) return;
  const { previous: _previous, ...rest } = place;
  await job.updateData({ ...data, place: rest });
}

/** Makes the attempt now, ahead of waiting deliveries. The schedule continues from there. */
async function promote(job: Job<DeliveryJob>): Promise<boolean> {
  const promoted = await unlessChanged(async () => {
    await leaveGroup(job);
    await job.promote();
  });
  // Only moves it to the front: a worker may have taken it by now.
  if (promoted) await unlessChanged(() => job.changePriority({ priority: 0, lifo: true }));
  return promoted;
}

/** Returns false for BullMQ's errors, which have a numeric code: the job is gone or has changed its state meanwhile. */
async function unlessChanged(change: () => Promise<unknown>): Promise<boolean> {
  try {
    await change();
    return true;
  } catch (error) {
    if (typeof (error as { code?: unknown }).code === "number") return false;
    throw error;
  }
}
