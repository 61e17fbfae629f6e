/** Rate limits of hooks, per instance of the bridge. */
import { LRUCache } from "lru-cache";
import { Limiter } from "../keys/limiter.ts";
import { type Hook, MAX_HOOKS } from "./hook.ts";

export class HookLimits {
  readonly #limiters = new LRUCache<string, { limit: string; limiter: Limiter }>({ max: MAX_HOOKS });

  /** @param now clock in milliseconds */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Returns the limiter of a hook, a new one after its limit has changed; undefined without a limit. */
  of({ id, rateLimit }: Hook): Limiter | undefined {
    if (!rateLimit) return undefined;
    const limit = JSON.stringify(rateLimit);
    const known = this.#limiters.get(id);
    if (known?.limit === limit) return known.limiter;
    const limiter = new Limiter(rateLimit, this.now);
    this.#limiters.set(id, { limit, limiter });
    return limiter;
  }
}
