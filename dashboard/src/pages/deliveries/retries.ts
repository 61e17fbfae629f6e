/** Retrying every delivery that the filters match: one replay for each webhook, or one delivery after the other. */
import type { Causeway, DeliveriesQuery, ReplayInput } from "causeway-mqtt/client";
import { reasonOf, refusalOf } from "../../data/refusal.ts";

interface DeliveryId {
  webhookId: string;
  messageId: string;
}

export interface ReplayClient {
  webhooks: Pick<Causeway["webhooks"], "countReplay" | "replay" | "getReplay" | "cancelReplay">;
  deliveries: Pick<Causeway["deliveries"], "retry"> & {
    list(query: DeliveriesQuery, options: { signal: AbortSignal }): AsyncIterable<DeliveryId>;
  };
}

/** The work at one webhook. */
export interface Part {
  webhookId: string;
  count: number;
  done: number;
  state: "ready" | "running" | "finished" | "cancelled" | "failed";
  replayId?: string;
  /** Why it failed. */
  reason?: string;
}

const CONCURRENCY = 4;
/** One call for each delivery: more would keep the page busy for minutes. */
export const MAX_SINGLE = 1_000;

/** Counts what replays would begin with. Webhooks without such deliveries are left out. */
export async function countParts(
  client: ReplayClient,
  webhookIds: readonly string[],
  range: ReplayInput,
  signal: AbortSignal,
): Promise<Part[]> {
  const parts: Part[] = [];
  const waiting = [...webhookIds];
  const work = async () => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      const count = await client.webhooks.countReplay(id, range, { signal });
      if (count > 0) parts.push({ webhookId: id, count, done: 0, state: "ready" });
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return parts.sort((a, b) => b.count - a.count || (a.webhookId < b.webhookId ? -1 : 1));
}

/** Starts a replay of each webhook. One that cannot start says why and does not hold up the others. */
export function startReplays(client: ReplayClient, parts: readonly Part[], range: ReplayInput): Promise<Part[]> {
  return Promise.all(
    parts.map(async (part): Promise<Part> => {
      try {
        const { id, state, count, done } = await client.webhooks.replay(part.webhookId, range);
        return { ...part, state, count, done, replayId: id };
      } catch (error) {
        return { ...part, state: "failed", reason: reasonOf(error) };
      }
    }),
  );
}

/** Reads the progress of the replays that still run. A read that fails changes nothing: the next one may succeed. */
export function readProgress(client: ReplayClient, parts: readonly Part[]): Promise<Part[]> {
  return Promise.all(
    parts.map(async (part): Promise<Part> => {
      if (part.state !== "running" || part.replayId === undefined) return part;
      try {
        const { state, count, done } = await client.webhooks.getReplay(part.webhookId, part.replayId);
        return { ...part, state, count, done };
      } catch {
        return part;
      }
    }),
  );
}

/** Cancels the replays that still run; one that has just ended is left as it is. */
export async function cancelReplays(client: ReplayClient, parts: readonly Part[]): Promise<void> {
  await Promise.all(
    parts.map(async ({ webhookId, replayId, state }) => {
      if (state !== "running" || replayId === undefined) return;
      try {
        await client.webhooks.cancelReplay(webhookId, replayId);
      } catch (error) {
        if (refusalOf(error)?.code !== "conflict") throw error;
      }
    }),
  );
}

/** The deliveries that match, up to {@link MAX_SINGLE}, for filters that a replay does not know. */
export async function matching(client: ReplayClient, query: DeliveriesQuery, signal: AbortSignal) {
  const found: DeliveryId[] = [];
  for await (const { webhookId, messageId } of client.deliveries.list({ ...query, limit: 250 }, { signal })) {
    if (found.length === MAX_SINGLE) return { found, isMore: true };
    found.push({ webhookId, messageId });
  }
  return { found, isMore: false };
}

/**
 * Retries deliveries one after the other and tells the progress after each.
 * @returns how many were retried and why others were not
 */
export async function retryEach(
  client: ReplayClient,
  deliveries: readonly DeliveryId[],
  onDone: (done: number) => void,
  signal: AbortSignal,
): Promise<{ retried: number; reasons: Map<string, number> }> {
  let retried = 0;
  let done = 0;
  const reasons = new Map<string, number>();
  for (const { webhookId, messageId } of deliveries) {
    if (signal.aborted) break;
    try {
      await client.deliveries.retry(webhookId, messageId, { signal });
      retried++;
    } catch (error) {
      if (signal.aborted) break;
      const reason = reasonOf(error);
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    onDone(++done);
  }
  return { retried, reasons };
}
