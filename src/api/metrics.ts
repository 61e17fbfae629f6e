/** Handlers for metrics over time. */
import type { Refused } from "../errors.ts";
import type { Handlers } from "../http/contract/index.ts";
import { unwrap } from "../http/problem.ts";
import type { Caller } from "../keys/caller.ts";
import type { AllSeriesDto, SeriesDto } from "../ops/series/reader.ts";
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
    ofWebhook(id: string, query: SeriesQuery): Promise<SeriesDto | Refused>;
    /**
     * @param ids the webhooks to report about
     * @param all whether the points are those of the whole bridge, with its messages
     */
    ofAll(query: SeriesQuery, ids: readonly string[], all: boolean): Promise<AllSeriesDto | Refused>;
  };
}

export function metricsHandlers({ webhooks, series }: MetricsPorts) {
  return {
    getWebhookMetrics: async ({ params: { id }, query, caller }) => {
      unwrap(await webhooks.readable(id, caller));
      return unwrap(await series.ofWebhook(id, query));
    },
    getAllMetrics: async ({ query, caller }) =>
      unwrap(await series.ofAll(query, webhooks.visible(caller), webhooks.seesAll(caller))),
  } satisfies Partial<Handlers>;
}
