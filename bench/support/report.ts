/** What a run leaves behind: a table on stdout and a file. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { dirname } from "node:path";
import { findProgram } from "../../test/support/requirements.ts";
import type { Outcome, Scenario, Target } from "./scenario.ts";

export interface Verdict extends Target {
  value: number;
  met: boolean;
  /** Not reached, but another one of the scenario was, and that is enough. */
  waived?: boolean;
}

export interface Result {
  scenario: Pick<Scenario, "name" | "title">;
  outcome?: Outcome;
  error?: string;
  verdicts: Verdict[];
  seconds: number;
}

/** A target without a figure is not met. */
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

/** One line for each target, the absolute figures beside it. */
export function table(results: Result[]): string {
  const rows = results.flatMap(({ scenario, outcome, error, verdicts }) => {
    const figures =
      error ??
      Object.entries(outcome?.figures ?? {})
        .map(([name, text]) => `${name} ${text}`)
        .join(" · ");
    if (verdicts.length === 0) return [[scenario.name, "", "", error ? "FAILED" : "info", figures]];
    return verdicts.map((verdict, i) => [
      i === 0 ? scenario.name : "",
      `${verdict.metric} ${number(verdict.value)} ${verdict.unit}`,
      verdict.atLeast === undefined ? `≤ ${verdict.atMost}` : `≥ ${verdict.atLeast}`,
      error ? "FAILED" : verdict.waived ? "waived" : verdict.met ? "met" : "MISSED",
      i === 0 ? figures : "",
    ]);
  });
  const header = ["scenario", "measured", "target", "verdict", "figures"];
  const widths = header.map((title, i) => Math.max(title.length, ...(i < 4 ? rows.map((row) => row[i]!.length) : [])));
  const line = (cells: string[]) =>
    cells
      .map((cell, i) => cell.padEnd(i < 4 ? widths[i]! : 0))
      .join("  ")
      .trimEnd();
  return [line(header), line(widths.map((width) => "-".repeat(width))), ...rows.map(line), ""].join("\n");
}

function number(value: number): string {
  if (Number.isNaN(value)) return "–";
  return value >= 100 ? String(Math.round(value)) : value.toFixed(value >= 10 ? 1 : 2);
}

/** Everything, for comparing runs. `extra` holds the options of the run. */
export function writeReport(file: string, results: Result[], extra: object): void {
  mkdirSync(dirname(file), { recursive: true });
  const report = {
    at: new Date().toISOString(),
    ...extra,
    machine: machine(),
    versions: versions(),
    met: allMet(results),
    results,
  };
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
}

/** In one line, for the head of the table. */
export function machineLine(): string {
  const { cpu, cores, memoryGb } = machine();
  const { node, mosquitto, redis } = versions();
  return `${cores} cores (${cpu}), ${memoryGb} GB · Node ${node} · Mosquitto ${mosquitto} · Redis ${redis}`;
}

/** Set when other programs need the machine: then even the ratios are worth little. */
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
    // `mosquitto -h` says what was asked and ends with 3.
    return pattern.exec(String((error as { stdout?: string }).stdout ?? ""))?.[1] ?? "unknown";
  }
}
