/** `causeway doctor`: finds out what does not work, and says what to do. */
import type { Command } from "commander";
import { type Finding, failed, skipped } from "../../client/doctor/finding.ts";
import { checkHooks } from "../../client/doctor/hook-checks.ts";
import { checkWebhooks } from "../../client/doctor/webhook-checks.ts";
import { Causeway } from "../../client/index.ts";
import { checkReachable, checkStatus } from "../doctor/api-checks.ts";
import { EXIT } from "../failures.ts";
import type { Output } from "../output/output.ts";
import { printable } from "../output/printable.ts";
import { versionOf } from "../program-version.ts";
import type { Runtime } from "../runtime.ts";
import { addExamples } from "../settings/options.ts";
import { isLoopback } from "../settings/target.ts";

interface DoctorOptions {
  topic?: string;
  url?: string;
}

const MARKS = {
  ok: ["✓", "green"],
  warning: ["!", "yellow"],
  failed: ["✗", "red"],
  skipped: ["-", "dim"],
} as const;
const NAME_WIDTH = 18;

export function addDoctor(program: Command, runtime: Runtime): void {
  const command = program
    .command("doctor")
    .summary("find out what does not work, and what to do")
    .description(
      "Checks the bridge, its webhooks and the clock. For a bridge on this machine it also checks the configuration " +
        "of this folder, the ports, the disk, the store and the broker. Exits with 1 if a check fails.",
    )
    .option("--topic <topic>", "try this topic at the broker; its subscribers receive a message")
    .option("--url <url>", "tell whether a webhook may call this URL")
    .action((options: DoctorOptions, self: Command) => run(runtime, self, options));
  addExamples(
    command,
    "causeway doctor",
    "causeway doctor --topic devices/pi-7/commands",
    "causeway doctor --url https://example.com/hook",
  );
}

async function run(runtime: Runtime, command: Command, options: DoctorOptions): Promise<void> {
  const output = runtime.output(command);
  const findings: Finding[] = [];
  for await (const finding of examine(runtime, command, options)) {
    findings.push(finding);
    if (output.isTerminal) draw(finding, output);
    else if (!output.isJson) output.line(fieldsOf(finding).map(printable).join("\t"));
  }
  const failures = findings.filter(({ status }) => status === "failed").length;
  const warnings = findings.filter(({ status }) => status === "warning").length;
  if (output.isJson) output.document({ ok: failures === 0, findings });
  else if (output.isTerminal) output.line(`\n${count(failures, "failed check")}, ${count(warnings, "warning")}`);
  if (failures > 0) runtime.exitCode = EXIT.no;
}

async function* examine(
  runtime: Runtime,
  command: Command,
  { topic, url: webhookUrl }: DoctorOptions,
): AsyncGenerator<Finding, void, undefined> {
  const { url, apiKey, urlFrom } = runtime.target(command);
  const { findings, isReached } = await checkReachable(url);
  yield* findings;
  const causeway = isReached && apiKey !== undefined ? new Causeway({ url, apiKey, retries: 0 }) : undefined;
  let brokerUrl: string | undefined;
  if (causeway) {
    const { findings: found, status } = await checkStatus(causeway, versionOf());
    yield* found;
    brokerUrl = (status?.broker as { url?: string } | null | undefined)?.url;
    if (!found.some((each) => each.check === "key" && each.status === "failed")) {
      yield* await checkWebhooks(causeway);
      yield* await checkHooks(causeway);
    }
  } else if (isReached) {
    yield failed("key", "no API key was found", "Pass --api-key, set CAUSEWAY_API_KEY, or name a --profile.");
  }
  const isLocal = isLoopback(url);
  if (!isLocal) yield skipped("configuration", `the bridge is elsewhere (${urlFrom})`);
  if (!isLocal && webhookUrl === undefined) return;
  const { checkLocally } = await import("../doctor/local-checks.ts");
  const port = isReached ? Number(new URL(url).port || 80) : undefined;
  yield* checkLocally({ env: runtime.env, topic, webhookUrl, isLocal, port, brokerUrl, causeway });
}

function fieldsOf({ check, status, detail, advice = "" }: Finding): string[] {
  return [status, check, detail, advice];
}

function draw({ check, status, detail, advice }: Finding, output: Output): void {
  const [mark, colour] = MARKS[status];
  const indent = " ".repeat(NAME_WIDTH + 4);
  const room = Math.max(20, output.width - indent.length);
  const name = printable(check);
  const [first, ...more] = wrap(printable(detail), room);
  const head = `${output.paint(colour, mark)} ${name.padEnd(NAME_WIDTH)}`;
  if (name.length <= NAME_WIDTH) output.line(`${head}  ${first}`);
  else output.line(`${head}\n${indent}${first}`);
  for (const line of more) output.line(`${indent}${line}`);
  if (advice !== undefined) {
    for (const line of wrap(`→ ${printable(advice)}`, room)) output.line(`${indent}${output.paint(colour, line)}`);
  }
}

/** Breaks a text between words; a longer word stays whole. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function count(value: number, noun: string): string {
  return `${value === 0 ? "no" : value} ${noun}${value === 1 ? "" : "s"}`;
}
