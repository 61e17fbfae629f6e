/** Deliveries of senders, each published once: senders repeat a delivery, with the same id, until it is accepted. */
import { Refused } from "../errors.ts";
import { shortDigest } from "../lib/digest.ts";
import type { ExpiringKeys } from "../store/store.ts";
import type { HookResult } from "./outcome.ts";

const KEPT_SECONDS = 24 * 3600;
/** How long a process that dies during the work blocks its delivery; a publish takes at most 10 s. */
const RUNNING_SECONDS = 60;
const RUNNING = "running";

export class SenderDeliveries {
  constructor(private readonly expiringKeys: Pick<ExpiringKeys, "setIfAbsent" | "put" | "release">) {}

  /**
   * Does the work, or returns the result of the first delivery with this id. A refusal or failure of the work releases
   * the id, so that the sender can repeat the delivery.
   * @param deliveryId absent: nothing identifies the delivery, and the work is done
   */
  async once(
    hookId: string,
    deliveryId: string | undefined,
    work: () => Promise<HookResult | Refused>,
  ): Promise<HookResult | Refused> {
    if (deliveryId === undefined) return work();
    const key = `hook-${hookId}-${shortDigest(deliveryId)}`;
    const found = await this.expiringKeys.setIfAbsent(key, RUNNING, RUNNING_SECONDS);
    if (found === RUNNING) {
      const detail = "the first call with this delivery id is still in progress";
      return new Refused("idempotency_in_progress", detail, { retryAfterSeconds: 1 });
    }
    if (found !== undefined) return JSON.parse(found) as HookResult;
    let result: HookResult | Refused;
    try {
      result = await work();
    } catch (error) {
      await this.#release(key);
      throw error;
    }
    if (result instanceof Refused) await this.#release(key);
    // The work is done: a failure to keep its result must not make the sender repeat it.
    else await this.expiringKeys.put(key, JSON.stringify(result), KEPT_SECONDS).catch(() => undefined);
    return result;
  }

  /** Without the store the id expires by itself, soon. */
  async #release(key: string): Promise<void> {
    await this.expiringKeys.release(key).catch(() => undefined);
  }
}
