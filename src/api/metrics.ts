/** Handlers for metrics over time. */
import type { Refused } from "../errors.ts";
import type { Handlers } from "../http/contract/index.ts";
import { unwrap } from "../http/problem.ts";
import type { Caller } from "../keys/caller.ts";
import type { AllSeries, Series } from "../ops/series/reader.ts";
import type { SeriesQuery } from "../ops/series/steps.ts";

export interface MetricsPorts {
  webhooks: {
    /** Refused also if the caller may not see the webhook. */
    readable(id: string, caller: Caller): Promise<object | Refused>;
    /** The ids of all webhooks that the caller may see. */
    visible(caller: Caller): string[];
    /** Whether the caller may know about all messages and webhooks together. */
    seesAll(caller: Caller): boolean;
  };
  series: {
    ofWebhook(id: string, query: SeriesQuery): Promise<Series | Refused>;
    /** @param own ids of the only webhooks to report about; absent: everything */
    ofAll(query: SeriesQuery, own?: readonly string[]): Promise<AllSeries | Refused>;
  };
}

export function metricsHandlers({ webhooks, series }: MetricsPorts) {
  return {
    getWebhookMetrics: async ({ params: { id }, query, caller }) => {
      unwrap(await webhooks.readable(id, caller));
      return unwrap(await series.ofWebhook(id, query));
    },
    getAllMetrics: async ({ query, caller }) => {
      const own = webhooks.seesAll(caller) ? undefined : webhooks.visible(caller);
      return unwrap(await series.ofAll(query, own));
    },
  } satisfies Partial<Handlers>;
}
