/**
 * Statistics of one step: counts, and a histogram of the durations of attempts. Adding rows loses nothing, so steps,
 * instances and webhooks can be merged in any order.
 */

/** Cells of the counts. `received` and `published` are only counted for the whole bridge. */
export const CELL = { enqueued: 0, succeeded: 1, failed: 2, retried: 3, received: 4, published: 5 } as const;
export const COUNTS = Object.keys(CELL).length;

/** Bounds of the buckets are a factor of the square root of 2 apart: from 1 ms to 131 s, the longest time-out and more. */
export const BUCKETS = 35;
const WIDTH = COUNTS + BUCKETS;

/** An ordinary array: thousands are made for one response, which takes typed arrays several times as long. */
export type StepRow = number[];

export function newRow(): StepRow {
  return new Array<number>(WIDTH).fill(0);
}

/** Returns the cell of a duration: that of the first bucket whose upper bound it does not exceed, or the last one. */
export function cellOf(durationMs: number): number {
  if (!(durationMs > 1)) return COUNTS;
  return COUNTS + Math.min(BUCKETS - 1, Math.ceil(2 * Math.log2(durationMs)));
}

const boundOf = (bucket: number) => (bucket < 0 ? 0 : 2 ** (bucket / 2));

/** Estimates a percentile in milliseconds, linear within its bucket; null without durations. @param share 0 to 1 */
export function percentile(row: StepRow, share: number): number | null {
  let total = 0;
  for (let cell = COUNTS; cell < WIDTH; cell++) total += row[cell]!;
  if (total === 0) return null;
  let below = 0;
  for (let bucket = 0; ; bucket++) {
    const inside = row[COUNTS + bucket]!;
    if (below + inside >= share * total && inside > 0) {
      const lower = boundOf(bucket - 1);
      const estimate = lower + (boundOf(bucket) - lower) * ((share * total - below) / inside);
      return Math.round(estimate * 100) / 100;
    }
    below += inside;
  }
}

const RADIX = 36;
/** Ends a row. */
const END = ";";
/** Separates the counts from the histogram, which begins with the number of its first bucket. */
const HISTOGRAM = "/";

/**
 * Encodes a row: `step,counts…/first bucket,counts…;` in base 36. Zeros are empty and left out at the end. Empty if all
 * are zero.
 */
export function encodeRow(step: number, row: StepRow): string {
  const counts = cells(row, 0, COUNTS);
  let first = 0;
  while (first < BUCKETS && row[COUNTS + first] === 0) first++;
  const durations = first === BUCKETS ? "" : `${HISTOGRAM}${first.toString(RADIX)}${cells(row, COUNTS + first, WIDTH)}`;
  return counts || durations ? flat([step.toString(RADIX), counts, durations, END]) : "";
}

function cells(row: StepRow, from: number, to: number): string {
  let last = to;
  while (last > from && row[last - 1] === 0) last--;
  const texts: string[] = [];
  for (let cell = from; cell < last; cell++) texts.push(",", row[cell] === 0 ? "" : row[cell]!.toString(RADIX));
  return flat(texts);
}

/**
 * Joins texts into one that is stored as such. The engine keeps the result of `+` as a tree of its parts, which would
 * occupy a multiple of the text for as long as the process keeps it.
 */
export function flat(texts: readonly string[]): string {
  return texts.join("");
}

const codeOf = (char: string) => char.charCodeAt(0);
const [COMMA, SLASH] = [codeOf(","), codeOf(HISTOGRAM)];
const [ZERO, NINE, A, Z] = [codeOf("0"), codeOf("9"), codeOf("a"), codeOf("z")];
/** Numbers of a row that are no counts. */
const [STEP, FIRST] = [-1, -2];

/** Adds encoded rows. @param rowOf the row to add a step to; undefined: leaves the step out */
export function addEncoded(text: string, rowOf: (step: number) => StepRow | undefined): void {
  let row: StepRow | undefined;
  let [cell, value] = [STEP, 0];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= A && code <= Z) value = value * RADIX + code - A + 10;
    else if (code >= ZERO && code <= NINE) value = value * RADIX + code - ZERO;
    else {
      if (cell === STEP) {
        row = rowOf(value);
        if (row === undefined) {
          // Half of the rows of a long range are outside it.
          i = text.indexOf(END, i);
          if (i < 0) return;
          value = 0;
          continue;
        }
      } else if (cell !== FIRST && row !== undefined) row[cell]! += value;
      if (code === COMMA) cell = cell === STEP ? 0 : cell === FIRST ? COUNTS + value : cell + 1;
      else cell = code === SLASH ? FIRST : STEP;
      value = 0;
    }
  }
}
