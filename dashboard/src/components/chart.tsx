import { useEffect, useRef, useState } from "preact/hooks";
import { isUtc } from "../data/clock.ts";
import type { PlotData } from "./plot.ts";

interface ChartProps extends PlotData {
  /** Names the chart, and the table of its data. */
  title: string;
}

/** A chart over time, drawn by uPlot, which is loaded when the first chart is shown; with its data as a table. */
export function Chart(props: ChartProps) {
  const ref = useRef<HTMLDivElement>(null);
  const [isTable, setTable] = useState(false);
  const plot = useRef<{ update(props: ChartProps): void; destroy(): void }>();
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => {
    let isGone = false;
    void import("./plot.ts").then(({ createPlot }) => {
      if (!isGone && ref.current) plot.current = createPlot(ref.current, latest.current);
    });
    return () => {
      isGone = true;
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [isTable]);
  useEffect(() => plot.current?.update(props));
  const { title, times, series, format, height = 180 } = props;
  return (
    <figure class="section">
      <div class="section-head">
        <figcaption>
          <h2>{title}</h2>
        </figcaption>
        <button type="button" class="button plain" onClick={() => setTable(!isTable)}>
          {isTable ? "Show as chart" : "Show as table"}
        </button>
      </div>
      {isTable ? (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
        <section class="table-wrap chart-table" tabIndex={0} aria-label={title}>
          <table class="table">
            <thead>
              <tr>
                <th scope="col">Time</th>
                {series.map(({ name }) => (
                  <th scope="col" class="number" key={name}>
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {times.map((at, i) => (
                <tr key={at}>
                  <td>{new Date(at).toLocaleString("en-GB", isUtc.value ? { timeZone: "UTC" } : {})}</td>
                  {series.map(({ name, values }) => (
                    <td class="number" key={name}>
                      {values[i] == null ? "–" : format(values[i])}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      ) : (
        <div ref={ref} class="plot" style={{ minHeight: `${height}px` }} />
      )}
    </figure>
  );
}
