/** The status of the bridge, its checks, and the rates of the last seconds. */
import type { CallOptions } from "causeway-mqtt/client";
import { useEffect, useState } from "preact/hooks";
import { causeway } from "../../data/causeway.ts";
import { EVERY, useData } from "../../data/query.ts";
import { readChecks } from "../../data/readiness.ts";
import { useRights } from "../../data/session.tsx";
import type { Check } from "../../data/states.ts";
import { type MinuteRates, minuteRates, ratesOf, type Sample, sampleOf, withSample } from "./rates.ts";
import { STEPS } from "./traffic.ts";

export function useStatus(everyMs: number = EVERY.second) {
  const { can } = useRights();
  return useData(["status"], (options) => causeway.status(options), { everyMs, enabled: can("view", "admin") });
}

/** The checks of /readyz; undefined if they cannot be read, which the status says as well. */
export function useChecks() {
  return useData<Record<string, Check>>(["checks"], readChecks, { everyMs: EVERY.few });
}

export function useMetrics(range: keyof typeof STEPS) {
  const { can } = useRights();
  const { stepSeconds, everyMs } = STEPS[range];
  const read = (options: CallOptions) => causeway.metrics({ range, stepSeconds }, options);
  return useData(["metrics", range], read, { everyMs, enabled: can("view", "admin") });
}

export interface LiveRates {
  received: number;
  delivered: number;
  failed: number;
  /** The rate of the last complete minute; all rates are such if the key may not see the books. */
  retried: number | undefined;
  /** Whether `received` counts messages; deliveries added otherwise. */
  isMessages: boolean;
  isMinute: boolean;
}

/** Undefined until something is known. */
export function useRates(status: ReturnType<typeof useStatus>): LiveRates | undefined {
  const [samples, setSamples] = useState<Sample[]>([]);
  const { data, readAt } = status;
  const { data: metrics } = useMetrics("1h");
  useEffect(() => {
    if (data?.books) setSamples((before) => withSample(before, sampleOf(data.books!, readAt)));
  }, [data, readAt]);
  const minute: MinuteRates | undefined = metrics && minuteRates(metrics.points);
  const live = ratesOf(samples);
  if (live) return { ...live, retried: minute?.retried, isMessages: true, isMinute: false };
  if (!minute || data?.books) return undefined;
  return { ...minute, isMessages: minute.hasReceived, isMinute: true };
}
