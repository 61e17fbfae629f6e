/** Deliveries with failed attempts: they say why a webhook fails, and when it is tried again. */
import type { CallOptions, Delivery } from "causeway-mqtt/client";
import { causeway } from "../../../data/causeway.ts";

const LIMIT = 50;
/** Deliveries received until so long after the first failure were probably attempted, in milliseconds. */
const OPENING_MS = 1_000;
const MAX_LIMIT = 250;

/**
 * Reads deliveries that wait for another attempt. While the circuit breaker is open, a delivery whose wait has ended
 * counts as pending again: then those received when the failures began are read.
 */
export async function failedAttempts(
  webhookId: string,
  failingSince: string | null | undefined,
  options: CallOptions,
): Promise<Delivery[]> {
  const { items } = await causeway.deliveries.listOf(webhookId, { status: "retrying", limit: LIMIT }, options).page();
  if (items.some(({ lastAttempt }) => lastAttempt) || !failingSince) return items;
  const until = new Date(Date.parse(failingSince) + OPENING_MS).toISOString();
  const early = await causeway.deliveries.list({ webhookId, until, limit: MAX_LIMIT }, options).page();
  return early.items.filter(({ status, lastAttempt }) => status !== "succeeded" && lastAttempt);
}
