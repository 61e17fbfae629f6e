/** Redelivers a delivery at a user's request. */
import { lastInJob, rememberAttempts, summary } from "./attempt-log.ts";
import type { DeliveryQueue, EndState } from "./delivery-queue.ts";
import type { QueuedJob } from "./job.ts";
import { type Delivery, toDelivery } from "./lists/delivery-queries.ts";

/** Reason why a delivery is not redelivered: its state, or a change of its state meanwhile. */
export type NotRedelivered = "not_found" | "active" | "waiting" | "changed";

/**
 * Returns a finished delivery to the queue with its whole schedule ahead and its attempts in the log.
 * @param ahead true: before all waiting deliveries; false: after them
 * @returns false when the job is gone or not in this state
 */
export async function enqueueAgain(
  queue: DeliveryQueue,
  job: QueuedJob,
  state: EndState,
  ahead: boolean,
): Promise<boolean> {
  if (!(await rememberAttempts(queue, job, Date.now()))) return false;
  return (await leaveGroup(queue, job)) && queue.retry(job, state, ahead);
}

export async function retryDelivery(
  queue: DeliveryQueue,
  webhookId: string,
  messageId: string,
): Promise<Delivery | NotRedelivered> {
  const job = await queue.get(messageId);
  if (!job) return "not_found";
  const last = lastInJob(job);
  const state = await queue.stateOf(messageId);
  if (state === "active") return "active";
  if (state === "waiting" || state === "prioritized") return "waiting";
  const done =
    state === "failed" || state === "completed"
      ? await enqueueAgain(queue, job, state, true)
      : state === "delayed" && (await callNow(queue, job));
  if (!done) return "changed";
  const delivery = await toDelivery(queue, job, webhookId, "pending");
  return {
    ...delivery,
    nextAttemptAt: new Date().toISOString(),
    lastAttempt: last ? summary(last) : delivery.lastAttempt,
  };
}

/**
 * Removes the predecessor: a requested redelivery does not wait for the order of its webhook.
 * @returns false when the job is gone
 */
async function leaveGroup(queue: DeliveryQueue, job: QueuedJob): Promise<boolean> {
  const { place, ...data } = job.data;
  if (place?.previous === undefined) return true;
  const { previous: _previous, ...rest } = place;
  return queue.replaceData(job, { ...data, place: rest });
}

/** Makes the attempt now, ahead of waiting deliveries. The schedule continues from there. */
async function callNow(queue: DeliveryQueue, job: QueuedJob): Promise<boolean> {
  if (!(await leaveGroup(queue, job)) || !(await queue.promote(job.id!))) return false;
  await queue.moveToFront(job);
  return true;
}
