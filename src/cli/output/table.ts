/** Tables that fit the width of the terminal. Pure. */
import { printable } from "./printable.ts";

export interface Column<T> {
  title: string;
  value: (item: T) => string | number | null | undefined;
  /** Whether values may be cut to fit; ids and states stay whole. */
  mayShrink?: boolean;
  /** Whether the column is left out where there is no room; the last one goes first. */
  isOptional?: boolean;
  /** Adds colour to a padded value. */
  paint?: (text: string, item: T) => string;
}

const GAP = 2;
/** A shorter piece of a URL or a topic says nothing. */
const MIN_WIDTH = 20;

export function cellsOf<T>(item: T, columns: readonly Column<T>[]): string[] {
  return columns.map(({ value }) => printable(String(value(item) ?? "")));
}

/** @param width of the terminal */
export function drawTable<T>(
  items: readonly T[],
  all: readonly Column<T>[],
  width: number,
  dim: (text: string) => string,
): string[] {
  const rows = items.map((item) => cellsOf(item, all));
  const natural = all.map(({ title }, i) => Math.max(title.length, ...rows.map((row) => lengthOf(row[i]!))));
  const shown = columnsThatFit(all, natural, width);
  const widths = shrink(
    shown.map((i) => natural[i]!),
    shown.map((i) => all[i]!.mayShrink ?? false),
    width,
  );
  const draw = (cells: string[], paint: (text: string, column: Column<T>) => string) =>
    shown
      .map((i, at) => {
        const text = cut(cells[i]!, widths[at]!);
        const padding = at === shown.length - 1 ? "" : " ".repeat(widths[at]! - lengthOf(text));
        return paint(text, all[i]!) + padding;
      })
      .join(" ".repeat(GAP))
      .trimEnd();
  const head = draw(
    all.map(({ title }) => title),
    dim,
  );
  return [head, ...rows.map((row, r) => draw(row, (text, { paint }) => paint?.(text, items[r]!) ?? text))];
}

/** Indexes of the columns that have room, the shrinking ones at their smallest. */
function columnsThatFit<T>(columns: readonly Column<T>[], natural: readonly number[], width: number): number[] {
  const shown = columns.map((_, i) => i);
  const smallest = (i: number) => (columns[i]!.mayShrink ? Math.min(natural[i]!, MIN_WIDTH) : natural[i]!);
  const total = () => shown.reduce((sum, i) => sum + smallest(i) + GAP, -GAP);
  while (total() > width) {
    const last = shown.findLastIndex((i) => columns[i]!.isOptional);
    if (last === -1) break;
    shown.splice(last, 1);
  }
  return shown;
}

/** Takes from the widest of the columns that may shrink, one character at a time. */
function shrink(natural: number[], mayShrink: boolean[], width: number): number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, each) => sum + each + GAP, -GAP) - width;
  for (; excess > 0; excess--) {
    let widest = -1;
    widths.forEach((each, i) => {
      if (mayShrink[i] && each > MIN_WIDTH && (widest === -1 || each > widths[widest]!)) widest = i;
    });
    if (widest === -1) break;
    widths[widest]!--;
  }
  return widths;
}

function lengthOf(text: string): number {
  return [...text].length;
}

function cut(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join("")}…`;
}
