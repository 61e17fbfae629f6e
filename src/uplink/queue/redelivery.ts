/** A delivery that is made once more because a person asks for it. */
import type { Job, Queue } from "bullmq";
import { Problem } from "../../errors.ts";
import { lastInJob, rememberAttempts, withoutBody } from "./attempt-log.ts";
import { type Delivery, findJob, toDelivery } from "./delivery-queries.ts";
import type { DeliveryJob } from "./job.ts";

/** The states of BullMQ in which a job has ended. */
export type EndState = "failed" | "completed";

/**
 * Puts a finished delivery back in line, with its whole schedule before it and its attempts in the log.
 * @param ahead before all that waits, else behind it
 * @returns false when it has not ended so, or is gone
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
    // Read from the job at hand by both backends, and not kept.
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

/** What a person wants again is not held back by the order of its webhook. */
async function leaveGroup(job: Job<DeliveryJob>): Promise<void> {
  const { place, ...data } = job.data;
  if (place?.previous === undefined) return;
  const { previous: _previous, ...rest } = place;
  await job.updateData({ ...data, place: rest });
}

/** Its attempt now, ahead of what waits. The schedule goes on from there. */
async function promote(job: Job<DeliveryJob>): Promise<boolean> {
  const promoted = await unlessChanged(async () => {
    await leaveGroup(job);
    await job.promote();
  });
  // Only its place in the line: it may have been taken up by now.
  if (promoted) await unlessChanged(() => job.changePriority({ priority: 0, lifo: true }));
  return promoted;
}

/** BullMQ's refusals carry a number: the job is gone, or in another state than it was when we looked. */
async function unlessChanged(change: () => Promise<unknown>): Promise<boolean> {
  try {
    await change();
    return true;
  } catch (error) {
    if (typeof (error as { code?: unknown }).code === "number") return false;
    throw error;
  }
}
