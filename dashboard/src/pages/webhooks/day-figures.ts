/** The last 24 h of the webhooks: one call for all totals, one for the series of each row on screen. */
import { useQuery } from "@tanstack/preact-query";
import type { MetricsPoint } from "causeway-mqtt/client";
import { useMemo } from "preact/hooks";
import { causeway } from "../../data/causeway.ts";
import { EVERY, useData } from "../../data/query.ts";
import { useRights } from "../../data/session.tsx";
import type { DayFigures } from "./list-query.ts";

const DAY = { range: "24h", stepSeconds: 3_600 } as const;
const SERIES_MS = 300_000;

/** Figures by id; undefined while they are not known, or if the key may read only single webhooks. */
export function useDayFigures(): ReadonlyMap<string, DayFigures> | undefined {
  const { can } = useRights();
  const { data } = useData(["metrics", "day"], (options) => causeway.metrics(DAY, options), {
    everyMs: EVERY.slow,
    enabled: can("view", "admin"),
  });
  return useMemo(() => data && new Map(data.webhooks.map((totals) => [totals.id, totals])), [data]);
}

/** @param isNeeded false for rows that are not on screen */
export function useDaySeries(id: string, isNeeded: boolean): readonly MetricsPoint[] | undefined {
  const { data } = useQuery({
    queryKey: ["metrics", "day", id],
    queryFn: ({ signal }) => causeway.webhooks.metrics(id, DAY, { signal }),
    enabled: isNeeded,
    staleTime: SERIES_MS,
    gcTime: SERIES_MS,
    refetchInterval: SERIES_MS,
  });
  return data?.points;
}

export function sumOf(points: readonly MetricsPoint[]): Omit<DayFigures, "p99Ms"> {
  const sum = (name: "enqueued" | "succeeded" | "failed" | "retried") =>
    points.reduce((all, point) => all + point[name], 0);
  return { enqueued: sum("enqueued"), succeeded: sum("succeeded"), failed: sum("failed"), retried: sum("retried") };
}
