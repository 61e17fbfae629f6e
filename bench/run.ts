/** `npm run bench`: measures the bridge and the bare libraries on this machine and compares them. */
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { backlog } from "./backlog.ts";
import { batch } from "./batch.ts";
import { batches } from "./batches.ts";
import { dashboard } from "./dashboard.ts";
import { drain } from "./drain.ts";
import { file } from "./embedded/file.ts";
import { flow } from "./embedded/flow.ts";
import { latency as embeddedLatency } from "./embedded/latency.ts";
import { slowDisk } from "./embedded/slow-disk.ts";
import { start } from "./embedded/start.ts";
import { webhooks } from "./embedded/webhooks.ts";
import { endToEnd } from "./end-to-end.ts";
import { intake } from "./intake.ts";
import { latency } from "./latency.ts";
import { neighbours } from "./neighbours.ts";
import { publishAcl, publishScenario, publishTopics } from "./publish.ts";
import { builtCheckout, ROOT, startBridge } from "./support/bridge.ts";
import { budgetOf } from "./support/budget.ts";
import { killAll, stopAll } from "./support/children.ts";
import { overallDrift } from "./support/comparison.ts";
import {
  allMet,
  driftLine,
  loadWarning,
  machineLine,
  type Result,
  reportOf,
  table,
  tableHead,
  tableRows,
  writeReport,
} from "./support/report.ts";
import type { Scenario } from "./support/scenario.ts";
import { ScenarioRun } from "./support/scenario-run.ts";
import { missingPackages } from "./support/servers.ts";
import { webhooks1000 } from "./webhooks-1000.ts";

const SCENARIOS: Scenario[] = [
  publishScenario(0),
  publishScenario(1),
  publishTopics,
  batch,
  publishAcl,
  intake,
  endToEnd,
  latency,
  batches,
  neighbours,
  backlog,
  drain,
  webhooks1000,
];
/** Run when named: the whole has to fit eight minutes. */
const NAMED: Scenario[] = [dashboard];
/** The embedded broker and store: run when named, because they take another four minutes. */
const EMBEDDED: Scenario[] = [flow, slowDisk, embeddedLatency, file, webhooks, start];

const RESULTS = `${ROOT}bench/results/`;
/** Fraction of its time that a scenario gets with `--quick`. */
const QUICK = 0.3;
/** Time factor with `--against`, which measures up to twice as many sides. */
const AGAINST = 2;
/** Rounds that fit the usual time; more rounds extend it. */
const USUAL_ROUNDS = 3;
const MOST_ASKED = 10;
/** Seconds for the first round of a scenario: far more than it needs, so only a hang exceeds it. */
const PATIENCE = 150;

const describe = ({ name, title }: Scenario) => `  ${name.padEnd(18)} ${title}`;

const HELP = `npm run bench -- [options]

  --only name,name   only these scenarios; a prefix of several names selects them all
  --rounds n         exactly n rounds of each scenario, 1 to ${MOST_ASKED}; default: as many as fit its share of the time
  --quick            smaller and shorter, mostly one round: about four minutes, for trying out
  --against dir      another checkout, built: its bridge takes part in the same rounds, and the figures show this/other
                     as min / median / max of the rounds (takes twice as long)
  --json             the report as JSON on stdout; the table goes to stderr
  --log-level level  of the bridge (info, as in production; its log goes to /dev/null)
  --profile          a CPU profile of each bridge in bench/results/ (slower: do not quote the figures)
  --no-build         use dist/ as it is
  --help

${SCENARIOS.map(describe).join("\n")}

only when named:
${NAMED.map(describe).join("\n")}

only when named, all of them with --only embedded:
${EMBEDDED.map(describe).join("\n")}

Without --only they take under 8 minutes on two idle cores. A scenario that exceeds its share by half is cut short after its
first round, marked CUT, and judged on the rounds it has. SIGINT prints what is known by then.
Writes bench/results/latest.json. Exits with 0 when every target is met, and with 1 otherwise.
`;

function options() {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      rounds: { type: "string" },
      quick: { type: "boolean", default: false },
      against: { type: "string" },
      json: { type: "boolean", default: false },
      "log-level": { type: "string", default: "info" },
      profile: { type: "boolean", default: false },
      "no-build": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const names = values.only?.split(",").map((name) => name.trim());
  const selects = (name: string) => (scenario: Scenario) =>
    scenario.name === name || scenario.name.startsWith(`${name}-`);
  const unknown = names?.filter((name) => ![...SCENARIOS, ...NAMED, ...EMBEDDED].some(selects(name))) ?? [];
  if (unknown.length > 0) throw new Error(`no such scenario: ${unknown.join(", ")}`);
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (rounds !== undefined && (!Number.isInteger(rounds) || rounds < 1 || rounds > MOST_ASKED)) {
    throw new Error(`--rounds must be 1 to ${MOST_ASKED}`);
  }
  const chosen = names
    ? [...SCENARIOS, ...NAMED, ...EMBEDDED].filter((scenario) => names.some((name) => selects(name)(scenario)))
    : SCENARIOS;
  const against = values.against === undefined ? undefined : builtCheckout(values.against);
  return { ...values, rounds, chosen, against, logLevel: values["log-level"] };
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function main(): Promise<number> {
  const { chosen, rounds, quick, against, json, logLevel, profile, help, "no-build": noBuild } = options();
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  const missing = missingPackages();
  if (missing.length > 0) {
    say(`The benchmarks need ${missing.join(" and ")}: apt install ${missing.join(" ")}`);
    return 1;
  }
  if (!noBuild) build();
  builtCheckout(ROOT);
  const busy = loadWarning();
  if (busy) say(busy);

  const output = json ? process.stderr : process.stdout;
  const startedAt = performance.now();
  const elapsed = () => (performance.now() - startedAt) / 1_000;
  const stretch = (quick ? QUICK : 1) * (against ? AGAINST : 1) * Math.max(1, (rounds ?? 0) / USUAL_ROUNDS);
  const shares = chosen.map(({ seconds }) => seconds * stretch);
  const total = shares.reduce((sum, share) => sum + share, 0);
  const results: Result[] = [];
  let current: ScenarioRun | undefined;

  const finish = () => {
    const drift = overallDrift(
      chosen.flatMap(({ name, compared: [key] }) => {
        const found = results.find(({ scenario }) => scenario.name === name);
        return found ? [{ rounds: found.rounds, key }] : [];
      }),
    );
    const report = reportOf(results, {
      rounds,
      quick,
      against,
      logLevel,
      profile,
      seconds: Math.round(elapsed()),
      drift,
    });
    writeReport(`${RESULTS}latest.json`, report);
    const how = [`log level ${logLevel}`, ...(quick ? ["quick"] : []), ...(against ? [`other: ${against}`] : [])];
    output.write(`\n${machineLine()}\n${how.join(", ")}, ${Math.round(elapsed())} s\n`);
    output.write(`${driftLine(drift)}\n\n${table(results)}`);
    if (json) process.stdout.write(report);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      if (current) results.push(current.result({ cut: signal }));
      finish();
      process.exit(1);
    });
  }

  output.write(tableHead());
  for (const [i, scenario] of chosen.entries()) {
    say(`${scenario.name}: ${scenario.title}`);
    const profileTo = profile ? `${RESULTS}${scenario.name}` : undefined;
    const starting = (root: string) => (given: object) => startBridge({ ...given, root, logLevel, profileTo });
    current = new ScenarioRun(scenario, {
      quick,
      budget: budgetOf(total - elapsed(), shares.slice(i) as [number]),
      patience: PATIENCE,
      asked: rounds,
      startBridge: starting(ROOT),
      startOther: against ? starting(against) : undefined,
      progress: (text) => say(`  ${text}`),
      stopAll,
    });
    const result = await current.run();
    current = undefined;
    results.push(result);
    say(`  ${result.seconds} s of ${result.budget} s`);
    output.write(tableRows(result));
  }
  finish();
  return allMet(results) ? 0 : 1;
}

function build(): void {
  say("building");
  execFileSync("npm", ["run", "build"], { cwd: ROOT, stdio: ["ignore", 2, 2] });
}

try {
  process.exitCode = await main();
} catch (error) {
  say((error as Error).message);
  process.exitCode = 1;
}
killAll();
process.exit();
