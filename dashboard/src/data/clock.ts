/** One clock for all relative times on the page, and the zone in which exact times are shown. */
import { signal } from "@preact/signals";

const TICK_MS = 1_000;

/** Milliseconds since the epoch, once a second while the page is visible. */
export const now = signal(Date.now());
export const isUtc = signal(false);

setInterval(() => {
  if (!document.hidden) now.value = Date.now();
}, TICK_MS);
