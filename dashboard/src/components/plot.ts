/** The canvas of a chart. In a file of its own, so that uPlot is loaded only with the first chart. */
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { isUtc } from "../data/clock.ts";

export interface Series {
  name: string;
  /** A custom property of tokens.css, such as `--delivered`. */
  colour: string;
  values: readonly (number | null)[];
}

export interface PlotData {
  /** Starts of the steps in milliseconds since the epoch. */
  times: readonly number[];
  series: readonly Series[];
  format: (value: number) => string;
  /** One bar a step, with the series on top of each other, instead of lines. */
  isStacked?: boolean;
  /** In pixels. */
  height?: number;
}

export function createPlot(element: HTMLElement, data: PlotData) {
  let current = data;
  let plot = draw(element, () => current);
  const redraw = () => {
    plot.destroy();
    plot = draw(element, () => current);
  };
  const resize = new ResizeObserver(() => plot.setSize(sizeOf(element, current)));
  resize.observe(element);
  // The canvas does not follow custom properties by itself.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", redraw);
  const theme = new MutationObserver(redraw);
  theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  const unsubscribe = isUtc.subscribe(redraw);
  return {
    update(next: PlotData) {
      const isSame = next.series.map(({ name }) => name).join() === current.series.map(({ name }) => name).join();
      current = next;
      if (isSame) plot.setData(columnsOf(next));
      else redraw();
    },
    destroy() {
      resize.disconnect();
      theme.disconnect();
      dark.removeEventListener("change", redraw);
      unsubscribe();
      plot.destroy();
    },
  };
}

/** @param read returns the data that is shown now */
function draw(element: HTMLElement, read: () => PlotData): uPlot {
  const data = read();
  const probe = getComputedStyle(element);
  const colourOf = (name: string) => resolve(element, name);
  const axis = {
    stroke: colourOf("--text-quiet"),
    font: `12px ${probe.fontFamily}`,
    grid: { stroke: colourOf("--border"), width: 1 },
    ticks: { stroke: colourOf("--border"), width: 1 },
  };
  return new uPlot(
    {
      ...sizeOf(element, data),
      tzDate: (seconds) => (isUtc.value ? uPlot.tzDate(new Date(seconds * 1_000), "UTC") : new Date(seconds * 1_000)),
      series: [
        { value: (_plot, seconds) => (seconds === null ? "" : exactTime(seconds)) },
        ...drawn(data).map(({ name, colour }, i) => ({
          label: name,
          ...(data.isStacked ? bar(colourOf(colour)) : line(colourOf(colour))),
          value: (_plot: uPlot, _value: number, _series: number, at: number | null) => {
            if (at === null) return "";
            const value = drawn(read())[i]?.values[at];
            return value == null ? "–" : data.format(value);
          },
        })),
      ],
      axes: [
        { ...axis, space: 64, incrs: INCREMENTS, values: (_plot, splits) => clockLabels(splits) },
        { ...axis, size: 64, values: (_plot, splits) => splits.map(data.format) },
      ],
      scales: {
        x: { range: (_plot, min, max) => withMargin(read(), min, max) },
        y: { range: (_plot, _min, max) => [0, Math.max(1, max * 1.1)] },
      },
      cursor: { drag: { x: false, y: false } },
      legend: { live: true },
    },
    columnsOf(data),
    element,
  );
}

/** Distances of the labels of the time axis in seconds: labels show no seconds. */
const INCREMENTS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440, 2_880, 7_200, 14_400].map(
  (minutes) => minutes * 60,
);

function line(stroke: string) {
  // A line needs two points: a value between gaps is drawn as a dot.
  const points = { size: 5, filter: (plot: uPlot, at: number) => isolated(plot.data[at]!) };
  return { stroke, width: 1.5, points };
}

function bar(colour: string) {
  return {
    stroke: colour,
    fill: colour,
    width: 0,
    points: { show: false },
    paths: uPlot.paths.bars!({ size: [0.8, 40, 1] }),
  };
}

/** Half a step on both sides, so that the first and the last bar are whole. */
function withMargin({ times, isStacked }: PlotData, min: number, max: number): [number, number] {
  const half = isStacked && times.length > 1 ? (times[1]! - times[0]!) / 2_000 : 0;
  return [min - half, max + half];
}

/** The series in the order in which they are drawn: of a stack, the top one first, behind the lower ones. */
function drawn({ series, isStacked }: PlotData): readonly Series[] {
  return isStacked ? series.toReversed() : series;
}

/** Times in seconds, then the values of each series; stacked, each on top of the ones below it. */
function columnsOf({ times, series, isStacked }: PlotData): uPlot.AlignedData {
  const columns: (number | null)[][] = [];
  for (const { values } of series) {
    const below = columns.at(-1);
    columns.push(values.map((value, i) => (isStacked ? (value ?? 0) + (below?.[i] ?? 0) : value)));
  }
  return [times.map((at) => at / 1_000), ...(isStacked ? columns.reverse() : columns)];
}

const zone = () => (isUtc.value ? { timeZone: "UTC" } : {});

const DAY_SECONDS = 86_400;

/** Labels of the time axis: the time of day, and the date where it changes or where steps are days. */
function clockLabels(splits: number[]): string[] {
  const day = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", ...zone() });
  const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", ...zone() });
  const isDays = splits.length > 1 && splits[1]! - splits[0]! >= DAY_SECONDS;
  return splits.map((seconds) => {
    const clock = time.format(seconds * 1_000);
    return isDays || clock === "00:00" ? day.format(seconds * 1_000) : clock;
  });
}

function exactTime(seconds: number): string {
  const options = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
  return new Intl.DateTimeFormat("en", { ...options, ...zone() }).format(seconds * 1_000);
}

/** Indices of the values without a neighbour. */
function isolated(values: ArrayLike<number | null | undefined>): number[] {
  return Array.from({ length: values.length }, (_, i) => i).filter(
    (i) => values[i] != null && values[i - 1] == null && values[i + 1] == null,
  );
}

function sizeOf(element: HTMLElement, { height = 180 }: PlotData) {
  return { width: Math.max(200, element.clientWidth), height };
}

/** Resolves a custom property, including `light-dark()`, to `#rrggbb`. */
function resolve(element: HTMLElement, name: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  element.append(probe);
  const [red = 0, green = 0, blue = 0] = getComputedStyle(probe).color.match(/\d+/g)?.map(Number) ?? [];
  probe.remove();
  return `#${[red, green, blue].map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}
