/** `npm run bench`: the figures of the bridge beside those of the bare libraries, measured on this machine. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { backlog } from "./backlog.ts";
import { batch } from "./batch.ts";
import { batches } from "./batches.ts";
import { endToEnd } from "./end-to-end.ts";
import { intake } from "./intake.ts";
import { latency } from "./latency.ts";
import { publishAcl, publishScenario, publishTopics } from "./publish.ts";
import { startup } from "./startup.ts";
import { startBridge } from "./support/bridge.ts";
import { killAll, stopAll } from "./support/children.ts";
import { allMet, judge, loadWarning, machineLine, type Result, table, writeReport } from "./support/report.ts";
import type { Context, Outcome, Scenario } from "./support/scenario.ts";
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
  backlog,
  webhooks1000,
  startup,
];

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const RESULTS = fileURLToPath(new URL("results/", import.meta.url));
/** Of the whole run, in seconds. */
const LIMIT = { full: 8 * 60, quick: 2 * 60 };

const HELP = `npm run bench -- [options]

  --only name,name   only these scenarios
  --rounds n         alternations of bridge and bare libraries; the median counts (4, with --quick 2)
  --quick            smaller and shorter: under two minutes, for trying out
  --log-level level  of the bridge (info, as in production; its log goes to /dev/null)
  --profile          a CPU profile of each bridge in bench/results/ (slower: do not quote the figures)
  --no-build         use dist/ as it is
  --help

${SCENARIOS.map(({ name, title }) => `  ${name.padEnd(16)} ${title}`).join("\n")}

Writes bench/results/latest.json. Ends with 0 when every target is met, and with 1 otherwise.
`;

function options() {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      rounds: { type: "string" },
      quick: { type: "boolean", default: false },
      "log-level": { type: "string", default: "info" },
      profile: { type: "boolean", default: false },
      "no-build": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const names = values.only?.split(",").map((name) => name.trim());
  const unknown = names?.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name)) ?? [];
  if (unknown.length > 0) throw new Error(`no such scenario: ${unknown.join(", ")}`);
  const rounds = Number(values.rounds ?? (values.quick ? 2 : 4));
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 10) throw new Error("--rounds must be 1 to 10");
  const chosen = names ? SCENARIOS.filter(({ name }) => names.includes(name)) : SCENARIOS;
  return { ...values, rounds, chosen, logLevel: values["log-level"] };
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function run(scenario: Scenario, context: Context): Promise<Result> {
  const startedAt = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`not done within ${scenario.maxSeconds} s`);
    timer = setTimeout(() => reject(error), scenario.maxSeconds * 1_000);
  });
  let outcome: Outcome | undefined;
  let error: string | undefined;
  try {
    outcome = await Promise.race([scenario.run(context), late]);
  } catch (thrown) {
    error = (thrown as Error).message;
  } finally {
    clearTimeout(timer);
    await stopAll();
  }
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  const { name, title } = scenario;
  return { scenario: { name, title }, outcome, error, verdicts: judge(scenario, outcome), seconds };
}

async function main(): Promise<number> {
  const { chosen, rounds, quick, logLevel, profile, help, "no-build": noBuild } = options();
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  const missing = missingPackages();
  if (missing.length > 0) {
    say(`The benchmarks need ${missing.join(" and ")}: apt install ${missing.join(" ")}`);
    return 1;
  }
  // More rounds than usual take more time than usual.
  const stretch = Math.max(1, rounds / 4);
  const limit = (quick ? LIMIT.quick : LIMIT.full) * stretch;
  setTimeout(() => {
    say(`The run took more than ${limit} s and was ended.`);
    process.exit(1);
  }, limit * 1_000).unref();

  if (!noBuild) {
    say("building");
    execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], {
      cwd: ROOT,
      stdio: ["ignore", 2, 2],
    });
  }
  const busy = loadWarning();
  if (busy) say(busy);
  const results: Result[] = [];
  for (const scenario of chosen) {
    say(`${scenario.name}: ${scenario.title}`);
    const context: Context = {
      rounds,
      quick,
      startBridge: (given) =>
        startBridge({ ...given, logLevel, profileTo: profile ? `${RESULTS}${scenario.name}` : undefined }),
      progress: (text) => say(`  ${text}`),
    };
    const result = await run({ ...scenario, maxSeconds: scenario.maxSeconds * stretch }, context);
    say(`  ${result.error ?? "done"} (${result.seconds} s)`);
    results.push(result);
  }
  writeReport(`${RESULTS}latest.json`, results, { rounds, quick, logLevel, profile });
  process.stdout.write(
    `\n${machineLine()}\nlog level ${logLevel}, ${rounds} rounds${quick ? ", quick" : ""}\n\n${table(results)}`,
  );
  return allMet(results) ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  say((error as Error).message);
  process.exitCode = 1;
}
killAll();
process.exit();
