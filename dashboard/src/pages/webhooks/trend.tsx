import type { MetricsPoint } from "causeway-mqtt/client";
import { useEffect, useRef, useState } from "preact/hooks";
import { Sparkline } from "../../components/sparkline.tsx";
import { isUtc } from "../../data/clock.ts";
import { countOf, formatClock } from "../../data/format.ts";
import { fromFirst } from "../../data/points.ts";
import { sumOf, useDaySeries } from "./day-figures.ts";

/** A row that is only scrolled past needs no call. */
const SETTLE_MS = 150;
const STEPS = 24;

/** Deliveries per hour of the last 24 h, read once the row is on screen. */
export function Trend({ id, isIdle }: { id: string; isIdle: boolean }) {
  const ref = useRef<HTMLDivElement>(null);
  const isSeen = useSeen(ref);
  const points = useDaySeries(id, isSeen && !isIdle);
  return (
    <div ref={ref} class="trend">
      {isIdle ? <Line points={[]} /> : points && <Line points={points} />}
    </div>
  );
}

function Line({ points }: { points: readonly MetricsPoint[] }) {
  const { enqueued, failed } = sumOf(points);
  const shown = fromFirst(points);
  const values = shown.length > 0 ? shown.map((point) => point.enqueued) : Array.from({ length: STEPS }, () => 0);
  const begin = shown.length < points.length ? shown[0] : undefined;
  const from = begin ? `, drawn from ${formatClock(Date.parse(begin.at), Date.now(), isUtc.value)}` : "";
  const label = `${countOf(enqueued, "delivery", "deliveries")} in 24 h${failed > 0 ? `, ${failed} failed` : ""}${from}`;
  return (
    <span title={label}>
      <Sparkline values={values} label={label} />
    </span>
  );
}

/** Whether the element is, or was, on screen for a moment. */
function useSeen(ref: { current: HTMLElement | null }): boolean {
  const [isSeen, setSeen] = useState(false);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    const observer = new IntersectionObserver((entries) => {
      clearTimeout(timer);
      if (entries.some(({ isIntersecting }) => isIntersecting)) timer = setTimeout(() => setSeen(true), SETTLE_MS);
    });
    if (ref.current) observer.observe(ref.current);
    return () => {
      clearTimeout(timer);
      observer.disconnect();
    };
  }, []);
  return isSeen;
}
