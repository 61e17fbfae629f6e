export interface Interval {
  /** Time of the last run; absent at the start. */
  previous?: number;
  every: number;
  now: number;
  offset: number;
  startDate?: number;
}

/**
 * Returns the next run of a scheduler with a fixed interval, and its offset from the multiples of that interval. Runs
 * missed while no worker was there are skipped, not made up for.
 */
export function nextRun({ previous, every, now, offset, startDate }: Interval): [run: number, offset: number] {
  const slot = Math.floor(now / every) * every;
  let run: number;
  if (previous !== undefined) {
    run = previous + every;
    if (run < now) run = slot + offset <= now ? slot + offset + every : slot + offset;
  } else if (startDate) {
    run = Math.max(startDate, now);
  } else if (offset > 0) {
    run = slot + offset <= now ? slot + offset + every : slot + offset;
  } else {
    run = now;
  }
  return [Math.floor(run), Math.floor(offset || run - Math.floor(run / every) * every)];
}
