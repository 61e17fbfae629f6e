/** Metrics over time, for the API. */
import type { Refused } from "../../errors.ts";
import { isRefused, type SeriesQuery, stepsOf } from "./steps.ts";

export interface Totals {
  enqueued: number;
  succeeded: number;
  failed: number;
  retried: number;
  p50Ms: number | null;
  p99Ms: number | null;
}

export interface Point extends Totals {
  /** RFC 3339. */
  at: string;
  received?: number;
  published?: number;
}

export interface Series {
  range: SeriesQuery["range"];
  stepSeconds: number;
  points: Point[];
}

export interface AllSeries extends Series {
  webhooks: (Totals & { id: string })[];
}

const NOTHING: Totals = { enqueued: 0, succeeded: 0, failed: 0, retried: 0, p50Ms: null, p99Ms: null };

export class SeriesReader {
  async ofWebhook(_id: string, query: SeriesQuery): Promise<Series | Refused> {
    return this.#empty(query);
  }

  /** @param own ids of the only webhooks to report about; absent: everything */
  async ofAll(query: SeriesQuery, own?: readonly string[]): Promise<AllSeries | Refused> {
    const series = this.#empty(query, own ? {} : { received: 0, published: 0 });
    return "points" in series ? { ...series, webhooks: [] } : series;
  }

  #empty(query: SeriesQuery, messages: object = {}): Series | Refused {
    const steps = stepsOf(query, Date.now());
    if (isRefused(steps)) return steps;
    const { range, stepMs, from, count } = steps;
    const at = (i: number) => new Date(from + i * stepMs).toISOString();
    const points = Array.from({ length: count }, (_, i) => ({ at: at(i), ...NOTHING, ...messages }));
    return { range, stepSeconds: stepMs / 1_000, points };
  }
}
