/**
 * Counters and histograms for the hot paths. prom-client validates and hashes labels at every observation, which costs
 * more than most of the observed work; these add up plain numbers and pass them to its registry when the page is read.
 */
import type { Metric, Registry } from "prom-client";

/** A metric with at most one label; without a label, its value is omitted. */
export interface TallyOptions {
  registry: Registry;
  name: string;
  help: string;
  label?: string;
}

export interface Tally {
  inc(value?: string, by?: number): void;
  /** Removes the counts of one label value. */
  remove(value: string): void;
}

export function counter({ label, ...options }: TallyOptions): Tally {
  const counts = new Map<string, number>(label ? [] : [["", 0]]);
  register(options, "counter", () =>
    [...counts].map(([value, count]) => ({ labels: label ? { [label]: value } : {}, value: count })),
  );
  return {
    inc: (value = "", by = 1) => void counts.set(value, (counts.get(value) ?? 0) + by),
    remove: (value) => void counts.delete(value),
  };
}

export interface Distribution {
  observe(seconds: number, value?: string): void;
  remove(value: string): void;
}

interface Observed {
  /** Observations by the first bound that they do not exceed; the last entry counts those above all bounds. */
  buckets: number[];
  sum: number;
}

/** @param bounds upper bounds in seconds, ascending */
export function histogram({ label, ...options }: TallyOptions, bounds: readonly number[]): Distribution {
  const observed = new Map<string, Observed>();
  const of = (value: string): Observed => {
    const found = observed.get(value) ?? { buckets: new Array<number>(bounds.length + 1).fill(0), sum: 0 };
    observed.set(value, found);
    return found;
  };
  if (!label) of("");
  register(options, "histogram", () =>
    [...observed].flatMap(([value, { buckets, sum }]) => {
      const labels = label ? { [label]: value } : {};
      let count = 0;
      const steps = buckets.map((inBucket, i) => {
        count += inBucket;
        return { labels: { ...labels, le: bounds[i] ?? "+Inf" }, value: count, metricName: `${options.name}_bucket` };
      });
      const totals = { sum, count };
      return [
        ...steps,
        ...Object.entries(totals).map(([key, total]) => ({
          labels,
          value: total,
          metricName: `${options.name}_${key}`,
        })),
      ];
    }),
  );
  return {
    observe: (seconds, value = "") => {
      const found = observed.get(value) ?? of(value);
      let i = 0;
      while (i < bounds.length && seconds > bounds[i]!) i++;
      found.buckets[i]!++;
      found.sum += seconds;
    },
    remove: (value) => void observed.delete(value),
  };
}

interface Value {
  labels: Record<string, string | number>;
  value: number;
  metricName?: string;
}

/** Registers an object with only the members that the registry uses. */
function register({ registry, name, help }: TallyOptions, type: "counter" | "histogram", values: () => Value[]): void {
  const get = async () => ({ name, help, type, values: values(), aggregator: "sum" });
  registry.registerMetric({ name, help, get, reset: () => undefined } as unknown as Metric);
}
