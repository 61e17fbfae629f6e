/** The values of one topic over time: what changed, and the numbers of a chart. Pure. */
import { type Leaf, leavesOf } from "./raw-json.ts";

export interface Change {
  path: string;
  /** Absent: added. */
  before?: string;
  /** Absent: removed. */
  after?: string;
}

/** Compares two payloads member by member, with the texts that were sent; whole payloads if they are not JSON. */
export function changesBetween(before: string, after: string): Change[] {
  if (before === after) return [];
  const [old, young] = [leavesOf(before), leavesOf(after)];
  if (!old || !young) return [{ path: "", before, after }];
  const byPath = new Map(old.map(({ path, raw }) => [path, raw]));
  const changes: Change[] = [];
  for (const { path, raw } of young) {
    const was = byPath.get(path);
    if (was === undefined) changes.push({ path, after: raw });
    else if (was !== raw) changes.push({ path, before: was, after: raw });
    byPath.delete(path);
  }
  return [...changes, ...[...byPath].map(([path, raw]) => ({ path, before: raw }))];
}

const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** Returns the paths of the numbers in a payload; one empty path if the payload is a number itself. */
export function numberPaths(text: string): string[] {
  return (leavesOf(text) ?? []).filter(isNumber).map(({ path }) => path);
}

/** Returns the number at a path of a payload, or undefined. */
export function numberAt(text: string, path: string): number | undefined {
  const leaf = leavesOf(text)?.find((one) => one.path === path);
  return leaf && isNumber(leaf) ? Number(leaf.raw) : undefined;
}

function isNumber({ raw }: Leaf): boolean {
  return NUMBER.test(raw);
}

/** Scales to 0 … 100 between the smallest and the largest, so that a line shows small changes of large values. */
export function spread(values: readonly number[]): number[] {
  const [min, max] = [Math.min(...values), Math.max(...values)];
  return values.map((value) => (max === min ? 50 : ((value - min) / (max - min)) * 100));
}
