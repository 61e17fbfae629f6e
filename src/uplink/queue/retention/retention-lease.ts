/** One instance at a time checks the retention of a webhook. */
import { randomUUID } from "node:crypto";

/** See the store's `Leases`; they also work while the store has no memory left. */
export interface RetentionLeases {
  acquire(name: string, holder: string, ttlMs: number): Promise<string>;
  release(name: string, holder: string): Promise<void>;
}

/** An instance that dies while it discards deliveries blocks the other instances for this time. */
const LEASE_MS = 60_000;

/** Returns a function that acquires a webhook, and then releases it; undefined while another instance has it. */
export function createAcquire(
  leases: RetentionLeases,
): (webhookId: string) => Promise<(() => Promise<void>) | undefined> {
  return async (webhookId) => {
    const [name, holder] = [`retention-${webhookId}`, randomUUID()];
    if ((await leases.acquire(name, holder, LEASE_MS)) !== holder) return undefined;
    return () => leases.release(name, holder);
  };
}
