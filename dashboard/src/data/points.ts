/** Points of the metrics over time, and the part of the range that a chart shows. Pure. */
import type { MetricsPoint } from "causeway-mqtt/client";

/** A chart shows at least so many steps: a line through fewer tells nothing. */
const LEAST_STEPS = 6;

export function isBusy({ received = 0, enqueued, succeeded, failed, retried }: MetricsPoint): boolean {
  return received + enqueued + succeeded + failed + retried > 0;
}

/** Whether a delivery was attempted: queued ones alone have no outcome and no duration. */
export function hasAttempt({ succeeded, failed, retried }: MetricsPoint): boolean {
  return succeeded + failed + retried > 0;
}

/**
 * Leaves out the steps before the first in which something happened, if they are more than half of the range, as on a
 * young bridge: its figures would be a sliver at the right edge. One empty step stays, from which the line rises.
 */
export function fromFirst(points: readonly MetricsPoint[]): readonly MetricsPoint[] {
  const first = points.findIndex(isBusy);
  if (first <= points.length / 2) return points;
  return points.slice(Math.max(0, Math.min(first - 1, points.length - LEAST_STEPS)));
}
