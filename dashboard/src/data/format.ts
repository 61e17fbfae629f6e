/** Figures and times as people read them. Pure. */

const COUNT = new Intl.NumberFormat("en");
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** `1,240`; from a million on `1.2M`. */
export function formatCount(count: number): string {
  return count < 1_000_000 ? COUNT.format(count) : SHORT.format(count);
}

/** `1,240/s`, `0.4/s`. */
export function formatRate(perSecond: number): string {
  const digits = perSecond > 0 && perSecond < 10 ? 1 : 0;
  return `${perSecond.toLocaleString("en", { maximumFractionDigits: digits })}/s`;
}

/** `98.7 %`; a share that is not whole is never rounded to 100 %. */
export function formatShare(part: number, whole: number): string {
  if (whole === 0) return "–";
  const percent = (part / whole) * 100;
  const rounded = part < whole ? Math.min(99.9, Math.floor(percent * 10) / 10) : 100;
  return `${rounded.toLocaleString("en", { maximumFractionDigits: 1 })} %`;
}

/** `18 ms`, `1.2 s`, `3 min`. */
export function formatDuration(ms: number): string {
  if (ms < 10) return `${ms.toLocaleString("en", { maximumFractionDigits: 1 })} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toLocaleString("en", { maximumFractionDigits: 1 })} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 48 * 3_600_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}

/** `512 B`, `4.2 KiB`, `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  const [size, unit] = bytes < 1_048_576 ? [bytes / 1_024, "KiB"] : [bytes / 1_048_576, "MiB"];
  return `${size.toLocaleString("en", { maximumFractionDigits: 1 })} ${unit}`;
}

/** `3 min ago`, `in 12 s`, `now`. */
export function formatRelative(at: number, now: number): string {
  const ms = Math.abs(at - now);
  if (ms < 1_000) return "now";
  const duration = formatDuration(Math.floor(ms / 1_000) * 1_000);
  return at > now ? `in ${duration}` : `${duration} ago`;
}

/** `14:02:03`, on another day `Nov 26, 14:02:03`, in the reader's zone or in UTC. */
export function formatClock(at: number, now: number, isUtc: boolean): string {
  const zone = isUtc ? { timeZone: "UTC" } : {};
  const day = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", ...zone });
  const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", ...zone });
  const isToday = day.format(at) === day.format(now) && Math.abs(at - now) < 86_400_000;
  return `${isToday ? "" : `${day.format(at)}, `}${time.format(at)}${isUtc ? " UTC" : ""}`;
}

/** `1 webhook`, `3 webhooks`. */
export function countOf(count: number, singular: string, plural = `${singular}s`): string {
  return `${formatCount(count)} ${count === 1 ? singular : plural}`;
}
