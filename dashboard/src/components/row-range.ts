/** The rows of a long table that are near the window. Pure. */

/** Rows rendered above and below the window: focus and wheel move within them. */
const MARGIN = 12;
/** The range moves in steps, so that not every pixel of scrolling renders anew. */
const STEP = 6;

export interface RowRange {
  from: number;
  /** The one after the last. */
  to: number;
}

export interface RowPlace {
  count: number;
  /** Height of a row, in pixels. */
  height: number;
  /** Where the first row begins, relative to the window; negative once it is scrolled out. */
  top: number;
  /** Height of the window. */
  size: number;
}

export function rowsNear({ count, height, top, size }: RowPlace): RowRange {
  const first = Math.floor(-top / height) - MARGIN;
  const last = Math.ceil((size - top) / height) + MARGIN;
  const within = (row: number) => Math.max(0, Math.min(count, row));
  return { from: within(Math.floor(first / STEP) * STEP), to: within(Math.ceil(last / STEP) * STEP) };
}
