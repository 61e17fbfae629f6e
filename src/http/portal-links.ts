/** Links that open the dashboard once with the rights of a key, known to all instances through the store. */
import { hash } from "node:crypto";
import { randomToken } from "../lib/random-token.ts";
import type { ExpiringKeys } from "../store/store.ts";

export interface PortalLinksOptions {
  expiringKeys: Pick<ExpiringKeys, "get" | "put" | "setIfAbsent">;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

/** Value in the store. */
export interface PortalLink {
  keyId: string;
  /** When the link and its session end, in milliseconds since the epoch. */
  expiresAt: number;
}

export class PortalLinks {
  readonly #expiringKeys: PortalLinksOptions["expiringKeys"];
  readonly #now: () => number;

  constructor({ expiringKeys, now = Date.now }: PortalLinksOptions) {
    this.#expiringKeys = expiringKeys;
    this.#now = now;
  }

  async create(keyId: string, ttlSeconds: number): Promise<{ token: string; expiresAt: number }> {
    const token = randomToken();
    const link: PortalLink = { keyId, expiresAt: this.#now() + ttlSeconds * 1_000 };
    await this.#expiringKeys.put(`portal-${hash("sha256", token)}`, JSON.stringify(link), ttlSeconds);
    return { token, expiresAt: link.expiresAt };
  }

  /** Uses up a link. Returns undefined if it is unknown, used or expired; of several calls at once one gets it. */
  async take(token: string): Promise<PortalLink | undefined> {
    const name = `portal-${hash("sha256", token)}`;
    const text = await this.#expiringKeys.get(name);
    if (text === undefined) return undefined;
    const link = JSON.parse(text) as PortalLink;
    const seconds = Math.ceil((link.expiresAt - this.#now()) / 1_000);
    if (seconds <= 0) return undefined;
    // Outlives the link, so that a link is never unused again.
    const used = await this.#expiringKeys.setIfAbsent(`${name}-used`, "1", seconds + CLOCK_SECONDS);
    return used === undefined ? link : undefined;
  }
}

/** Allowance for clocks of the instances and the store that differ. */
const CLOCK_SECONDS = 3_600;
