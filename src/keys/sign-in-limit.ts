/** Limits wrong keys at the sign-in, and calls of a hook that are not verified: per client address and instance. */
import ipaddr from "ipaddr.js";
import { LRUCache } from "lru-cache";
import { Limiter, type RateLimit } from "./limiter.ts";

const LIMIT: RateLimit = { max: 10, perSeconds: 60 };
/** Addresses to remember. */
const MAX_ADDRESSES = 10_000;
const MAX_LENGTH = 64;
/** An IPv6 client usually has a whole /64 network. */
const NETWORK_PARTS = 4;

export class SignInLimit {
  readonly #limiters = new LRUCache<string, Limiter>({ max: MAX_ADDRESSES });

  /** @param now clock in milliseconds */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /**
   * Returns the seconds until the address may try again; undefined if it may try now.
   * @param about the hook, each of which has its own limit: all its senders may have the same address
   */
  secondsUntil(address: string, about = ""): number | undefined {
    const limiter = this.#limiters.get(networkOf(address) + about);
    if (!limiter || limiter.take(0).remaining > 0) return undefined;
    return Math.ceil(LIMIT.perSeconds / LIMIT.max);
  }

  /** Counts a wrong key or an unverified call. */
  failed(address: string, about = ""): void {
    const network = networkOf(address) + about;
    const limiter = this.#limiters.get(network) ?? new Limiter(LIMIT, this.now);
    this.#limiters.set(network, limiter);
    limiter.take(1);
  }
}

function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address.slice(0, MAX_LENGTH);
  const ip = ipaddr.process(address);
  return ip instanceof ipaddr.IPv6 ? ip.parts.slice(0, NETWORK_PARTS).join(":") : ip.toString();
}
