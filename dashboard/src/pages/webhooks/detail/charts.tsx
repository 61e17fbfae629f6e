import type { MetricsPoint, Webhook } from "causeway-mqtt/client";
import { useLocation } from "preact-iso";
import { AxisNote } from "../../../components/axis-note.tsx";
import { Chart } from "../../../components/chart.tsx";
import { Choices } from "../../../components/choices.tsx";
import { Loaded } from "../../../components/loaded.tsx";
import type { Series } from "../../../components/plot.ts";
import { pathTo } from "../../../data/address.ts";
import { causeway } from "../../../data/causeway.ts";
import { formatCount, formatDuration } from "../../../data/format.ts";
import { fromFirst, hasAttempt, isBusy } from "../../../data/points.ts";
import { EVERY, useData } from "../../../data/query.ts";
import { outcomeInWords } from "./summary.ts";

const RANGES = [
  ["1h", "1 h"],
  ["24h", "24 h"],
  ["30d", "30 d"],
] as const;

type Range = (typeof RANGES)[number][0];

/** Volume by outcome and duration of attempts over time. */
export function Charts({ webhook: { id: webhookId, type } }: { webhook: Webhook }) {
  const { query, route } = useLocation();
  const range = RANGES.find(([one]) => one === query.range)?.[0] ?? "1h";
  const metrics = useData(
    ["webhook", webhookId, "metrics", range],
    (options) => causeway.webhooks.metrics(webhookId, { range }, options),
    { everyMs: EVERY.slow / 3 },
  );
  const choose = (next: Range) => route(pathTo(`webhooks/${webhookId}`, { ...query, range: next }), true);
  return (
    <section class="section" aria-label="Deliveries over time">
      <div class="section-head">
        <Choices label="Time range" value={range} options={RANGES} onChange={choose} />
        {metrics.data && <span class="quiet">{outcomeInWords(metrics.data.points)}</span>}
      </div>
      <Loaded of={metrics} failure="The metrics could not be read">
        {({ points }) =>
          points.some(hasAttempt) ? (
            <Both all={points} isPulled={type === "pull"} />
          ) : (
            <Nothing range={range} isWaiting={points.some(isBusy)} />
          )
        }
      </Loaded>
    </section>
  );
}

function Both({ all, isPulled }: { all: readonly MetricsPoint[]; isPulled: boolean }) {
  const points = fromFirst(all);
  const times = points.map(({ at }) => Date.parse(at));
  const volume: Series[] = [
    { name: "Succeeded", colour: "--delivered", values: points.map(({ succeeded }) => succeeded) },
    { name: "Tried again", colour: "--retrying", values: points.map(({ retried }) => retried) },
    { name: "Failed", colour: "--failed", values: points.map(({ failed }) => failed) },
  ];
  const duration: Series[] = [
    { name: "p50", colour: "--accent", values: points.map(({ p50Ms }) => p50Ms) },
    { name: "p99", colour: "--retrying", values: points.map(({ p99Ms }) => p99Ms) },
  ];
  return (
    <>
      <div class="grid-2">
        <Chart title="Deliveries by outcome" times={times} series={volume} format={formatCount} isStacked />
        {points.some(({ p50Ms }) => p50Ms !== null) ? (
          <Chart title="Duration of attempts" times={times} series={duration} format={formatDuration} />
        ) : (
          <section class="section" aria-labelledby="duration-title">
            <h2 id="duration-title">Duration of attempts</h2>
            <div class="empty">
              {isPulled
                ? "A program takes the messages of this webhook, so there is no call to measure."
                : "No call was made in this time, so there is no duration to show."}
            </div>
          </section>
        )}
      </div>
      <AxisNote all={all} shown={points} />
    </>
  );
}

function Nothing({ range, isWaiting }: { range: Range; isWaiting: boolean }) {
  const words = RANGES.find(([one]) => one === range)![1];
  return (
    <div class="empty">
      {isWaiting ? "Deliveries were queued, but none was attempted" : "No delivery"} in the last {words}. Figures appear
      about ten seconds after a delivery.
    </div>
  );
}
