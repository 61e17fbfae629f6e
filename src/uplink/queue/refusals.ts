/** BullMQ's refusals, as opposed to an unavailable store. */

/** Whether BullMQ refused a step because the job is gone, locked or in another state, as opposed to an outage. */
export function isRefusal(error: unknown): boolean {
  return typeof (error as { code?: unknown }).code === "number";
}

/** @returns false when BullMQ refused the step; rejects when the store is unavailable */
export async function isDone(step: () => Promise<unknown>): Promise<boolean> {
  try {
    await step();
    return true;
  } catch (error) {
    if (isRefusal(error)) return false;
    throw error;
  }
}
