/** Output of a run: rows, table and report file. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { dirname } from "node:path";
import { findProgram } from "../../test/support/requirements.ts";
import type { Spread } from "./comparison.ts";
import type { Outcome, Round, Scenario, Target } from "./scenario.ts";

export interface Verdict extends Target {
  value: number;
  met: boolean;
  /** Missed, but another target of the scenario was met, and one is enough. */
  waived?: boolean;
}

export interface Result {
  scenario: Pick<Scenario, "name" | "title">;
  measured?: Record<string, number>;
  figures?: Record<string, string>;
  /** The reason why there are no figures. */
  error?: string;
  /** The reason why there are fewer rounds than planned. */
  cut?: string;
  verdicts: Verdict[];
  rounds: Round[];
  /** Spread of the bare side. */
  drift?: Spread;
  /** Ratios this/other by figure, with `--against`. */
  against: Record<string, Spread>;
  seconds: number;
  budget: number;
}

/** Compares the figures with the targets. A target without a figure is missed. */
export function judge({ targets, enough }: Pick<Scenario, "targets" | "enough">, outcome?: Outcome): Verdict[] {
  const verdicts = targets.map((target) => {
    const value = outcome?.measured[target.metric] ?? Number.NaN;
    const { atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY } = target;
    return { ...target, value, met: value >= atLeast && value <= atMost };
  });
  if (enough !== "any" || !verdicts.some(({ met }) => met)) return verdicts;
  return verdicts.map((verdict) => (verdict.met ? verdict : { ...verdict, met: true, waived: true }));
}

export function allMet(results: Result[]): boolean {
  return results.every(({ error, verdicts }) => error === undefined && verdicts.every(({ met }) => met));
}

const HEADER = ["scenario", "measured", "target", "verdict", "rounds", "bare min/median/max", "figures"];
/** Column widths that fit most rows: rows are printed during the run, before the later ones are known. */
const WIDTHS = [14, 24, 8, 7, 6, 28];

/** The rows of one scenario, one per target, in the columns of {@link tableHead}. */
export function tableRows(result: Result): string {
  return aligned(cellsOf(result), WIDTHS);
}

export function tableHead(): string {
  return aligned([HEADER, WIDTHS.map((width) => "-".repeat(width))], WIDTHS);
}

/** All results, each column as wide as its widest cell. */
export function table(results: Result[]): string {
  const rows = results.flatMap(cellsOf);
  const widths = WIDTHS.map((_, i) => Math.max(...[HEADER, ...rows].map((row) => row[i]!.length)));
  return aligned([HEADER, widths.map((width) => "-".repeat(width)), ...rows], widths);
}

function cellsOf(result: Result): string[][] {
  const { scenario, verdicts, error, cut, rounds, drift, against } = result;
  const figures = [
    ...(error ? [error] : []),
    ...(cut && !error ? [`CUT: ${cut}`] : []),
    ...Object.entries(against).map(
      ([name, ratio]) => `this/other ${name} ${spread(ratio, (value) => value.toFixed(2))}`,
    ),
    ...Object.entries(result.figures ?? {}).map(([name, text]) => `${name} ${text}`),
  ].join(" · ");
  const first = (text: string, i: number) => (i === 0 ? text : "");
  const informative = [{ measured: "", target: "", verdict: error ? "FAILED" : "info" }];
  const judged = verdicts.map((verdict) => ({
    measured: `${verdict.metric} ${number(verdict.value)} ${verdict.unit}`,
    target: verdict.atLeast === undefined ? `≤ ${verdict.atMost}` : `≥ ${verdict.atLeast}`,
    verdict: error ? "FAILED" : verdict.waived ? "waived" : verdict.met ? "met" : "MISSED",
  }));
  return (judged.length > 0 ? judged : informative).map(({ measured, target, verdict }, i) => [
    first(scenario.name, i),
    measured,
    target,
    verdict,
    first(`${rounds.length}${cut ? " CUT" : ""}`, i),
    first(drift ? `${spread(drift, number)} (${percent((drift.max - drift.min) / drift.median)})` : "", i),
    first(figures, i),
  ]);
}

function spread({ min, median, max }: Spread, written: (value: number) => string): string {
  return [min, median, max].map(written).join(" / ");
}

function percent(value: number): string {
  return `${Math.round(value * 100)} %`;
}

function aligned(rows: string[][], widths: number[]): string {
  const lines = rows.map((cells) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}

/** One line that reports the drift of the machine during the run. */
export function driftLine(drift: Spread | undefined): string {
  if (!drift) return "Machine drift: unknown, no bare side was measured.";
  const values = spread(drift, (value) => value.toFixed(2));
  return `Machine drift: bare figures relative to the median of their scenario, min/median/max ${values}.`;
}

function number(value: number): string {
  if (Number.isNaN(value)) return "–";
  return value >= 100 ? String(Math.round(value)) : value.toFixed(value >= 10 ? 1 : 2);
}

/** The complete report as JSON, to compare runs. `extra` holds the options of the run and its drift. */
export function reportOf(results: Result[], extra: object): string {
  const report = {
    at: new Date().toISOString(),
    ...extra,
    machine: machine(),
    versions: versions(),
    met: allMet(results),
    results,
  };
  return `${JSON.stringify(report, null, 2)}\n`;
}

export function writeReport(file: string, report: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, report);
}

/** Machine and versions in one line, for the head of the table. */
export function machineLine(): string {
  const { cpu, cores, memoryGb } = machine();
  const { node, mosquitto, redis } = versions();
  return `${cores} cores (${cpu}), ${memoryGb} GB · Node ${node} · Mosquitto ${mosquitto} · Redis ${redis}`;
}

/** A warning if other programs load the machine, which makes even the ratios unreliable. */
export function loadWarning(): string | undefined {
  const [load] = loadavg() as [number, number, number];
  const { length } = cpus();
  return load > length / 2
    ? `The load average is ${load.toFixed(1)} on ${length} cores: do not rely on the figures.`
    : undefined;
}

function machine() {
  const [cpu] = cpus();
  const load = loadavg().map((value) => Math.round(value * 100) / 100);
  return {
    cpu: cpu?.model ?? "unknown",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    loadAverage: load,
  };
}

function versions() {
  const { dependencies, devDependencies } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  ) as Record<string, Record<string, string>>;
  const of = (name: string) => dependencies?.[name] ?? devDependencies?.[name] ?? "unknown";
  const packages = ["mqtt", "bullmq", "ioredis", "fastify", "undici", "autocannon"];
  return {
    node: process.versions.node,
    mosquitto: said("mosquitto", "-h", /version (\S+)/),
    redis: said("redis-server", "--version", /v=(\S+)/),
    ...Object.fromEntries(packages.map((name) => [name, of(name)])),
  };
}

function said(program: string, argument: string, pattern: RegExp): string {
  const path = findProgram(program);
  if (!path) return "not installed";
  try {
    return pattern.exec(execFileSync(path, [argument], { encoding: "utf8" }))?.[1] ?? "unknown";
  } catch (error) {
    // `mosquitto -h` prints the version and exits with 3.
    return pattern.exec(String((error as { stdout?: string }).stdout ?? ""))?.[1] ?? "unknown";
  }
}
