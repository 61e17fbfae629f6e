/** Deliveries with failed attempts: they say why a webhook fails, and when it is tried again. */
import type { Causeway } from "../causeway.ts";
import type { CallOptions, Delivery, Webhook } from "../types.ts";

const LIMIT = 50;
/** Deliveries received until so long after the first failure were probably attempted, in milliseconds. */
const OPENING_MS = 1_000;
const MAX_LIMIT = 250;

/**
 * Reads deliveries that wait for another attempt. While the circuit breaker is open, a delivery whose wait has ended
 * counts as pending again: then those received when the failures began are read. Without any, those given up.
 */
export async function failedAttempts(
  causeway: Causeway,
  { id, failingSince }: Pick<Webhook, "id" | "failingSince">,
  options: CallOptions = {},
): Promise<Delivery[]> {
  const { items } = await causeway.deliveries.listOf(id, { status: "retrying", limit: LIMIT }, options).page();
  if (items.some(({ lastAttempt }) => lastAttempt) || !failingSince) return items;
  const until = new Date(Date.parse(failingSince) + OPENING_MS).toISOString();
  const early = await causeway.deliveries.listOf(id, { until, limit: MAX_LIMIT }, options).page();
  const attempted = early.items.filter(({ status, lastAttempt }) => status !== "succeeded" && lastAttempt);
  if (attempted.length > 0) return attempted;
  return (await causeway.deliveries.listOf(id, { status: "failed", limit: 1 }, options).page()).items;
}
