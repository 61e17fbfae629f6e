/** Resolutions in which the statistics are stored, and the groups of steps that are stored as one value. Pure. */

const [MINUTE_MS, HOUR_MS, DAY_MS] = [60_000, 3_600_000, 86_400_000];

export interface Resolution {
  name: "minute" | "hour" | "day";
  stepMs: number;
  /** Steps in a group. A group of minutes is an hour, and one of hours a day. */
  size: number;
  /** How long a group is kept after its last change: the longest range that reads it, and some time to spare. */
  keepSeconds: number;
}

export const MINUTES: Resolution = { name: "minute", stepMs: MINUTE_MS, size: 60, keepSeconds: 25 * 3_600 };
export const HOURS: Resolution = { name: "hour", stepMs: HOUR_MS, size: 24, keepSeconds: 31 * 86_400 };
export const DAYS: Resolution = { name: "day", stepMs: DAY_MS, size: 32, keepSeconds: 31 * 86_400 };
export const RESOLUTIONS = [MINUTES, HOURS, DAYS];

/** Number of the group of a time in milliseconds since the epoch. */
export function groupAt({ stepMs, size }: Resolution, at: number): number {
  return Math.floor(at / (stepMs * size));
}

export function groupName({ name }: Resolution, group: number): string {
  return `${name}-${group}`;
}

/** A section of the store to read: the steps of a group that begin from `from` on and before `to`. */
export interface Section {
  resolution: Resolution;
  group: number;
  from: number;
  to: number;
}

/** Returns the groups with all steps of a resolution from a time on until another. */
export function sectionsOf(resolution: Resolution, from: number, to: number): Section[] {
  const first = groupAt(resolution, from);
  const count = to > from ? groupAt(resolution, to - 1) - first + 1 : 0;
  return Array.from({ length: count }, (_, i) => ({ resolution, group: first + i, from, to }));
}

/**
 * Returns the groups that make up the total of a time: whole steps of the next coarser resolution, which are few, after
 * the steps of the fine one until the first coarse step begins.
 */
export function totalSections(fine: Resolution, from: number, to: number): Section[] {
  const coarse = RESOLUTIONS[RESOLUTIONS.indexOf(fine) + 1]!;
  const change = Math.min(to, Math.ceil(from / coarse.stepMs) * coarse.stepMs);
  return [...sectionsOf(fine, from, change), ...sectionsOf(coarse, change, to)];
}
