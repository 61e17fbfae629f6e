/** `causeway apply`: makes the bridge have what the files say. */
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import { CausewayError } from "../../client/index.ts";
import { carryOut, readCurrent } from "../../configuration/apply.ts";
import { changesOf, type Difference } from "../../configuration/changes.ts";
import { readDocuments } from "../../configuration/documents.ts";
import { EXIT, UsageError } from "../failures.ts";
import type { Output } from "../output/output.ts";
import type { Runtime } from "../runtime.ts";
import { addExamples, repeated } from "../settings/options.ts";

const SIGNS = { create: "+", update: "~", delete: "-", conflict: "!" } as const;
const COLOURS = { create: "green", update: "yellow", delete: "red", conflict: "red" } as const;

interface ApplyOptions {
  file: string[];
  dryRun?: true;
  prune?: true;
  setSecrets?: true;
}

export function addApply(program: Command, runtime: Runtime): void {
  const command = program
    .command("apply")
    .summary("make the bridge have what files say")
    .description(
      "Creates and changes webhooks, hooks and keys as files describe them, and shows each difference. " +
        "A repetition changes nothing. Secrets come from the environment or from files, see docs/cli.md.",
    )
    .requiredOption("-f, --file <path>", "file or folder of YAML or JSON, - for standard input; repeatable", repeated)
    .option("--dry-run", "only show the differences; exit code 1 if there are any")
    .option("--prune", "delete webhooks and hooks with an external id that no document has")
    .option("--set-secrets", "set secrets again, although the bridge does not show whether they differ")
    .action(async ({ file, dryRun, ...how }: ApplyOptions, self: Command) => {
      const stdin = file.includes("-") ? await text(process.stdin) : "";
      const documents = readDocuments(file, runtime.env, stdin);
      if (documents.length === 0 && how.prune) throw new UsageError("no document, so --prune would delete everything");
      const causeway = await runtime.client(self);
      const output = runtime.output(self);
      const changes = changesOf(documents, await readCurrent(causeway, documents, how), how);
      const isConflict = changes.some(({ action }) => action === "conflict");
      if (isConflict || (dryRun && changes.length > 0)) runtime.exitCode = EXIT.no;
      const done: object[] = [];
      for (const change of changes) {
        show(change, output);
        const result = dryRun || isConflict ? undefined : await carryOut(causeway, change).catch(naming(change));
        tell(change, result, output);
        const { kind, identity, action, fields } = change;
        done.push({ kind, identity, action, fields, ...(result && { result }) });
      }
      if (output.isJson) output.document({ documents: documents.length, dryRun: dryRun === true, changes: done });
      else if (isConflict)
        output.note("nothing was changed: a key cannot be changed, delete it or choose another name");
      else if (changes.length === 0) output.line(`no differences (documents: ${documents.length})`);
    });
  addExamples(
    command,
    "causeway apply -f webhooks.yaml",
    "causeway apply -f config/ --prune --dry-run",
    "causeway export | causeway apply -f -",
  );
}

function show({ kind, identity, action, fields }: Difference, output: Output): void {
  if (output.isJson) return;
  output.line(output.paint(COLOURS[action], `${SIGNS[action]} ${kind} ${identity}`));
  for (const [name, { from, to }] of Object.entries(fields)) {
    const text = from === undefined && to === undefined ? "set again" : `${shown(from)} → ${shown(to)}`;
    output.line(`    ${name}: ${text}`);
  }
}

function shown(value: unknown): string {
  return value === undefined ? "none" : JSON.stringify(value);
}

/** Adds to a refusal what was refused; what stands before it in the files has been applied. */
function naming({ kind, identity }: Difference): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof CausewayError)) throw error;
    const { status, code, detail, errors } = error;
    throw new CausewayError(status, { ...(code && { code }), detail: `${kind} ${identity}: ${detail}`, errors }, error);
  };
}

/** Texts that are not shown again. */
function tell({ kind, action, input }: Difference, result: object | undefined, output: Output): void {
  if (action !== "create" || !result || output.isJson) return;
  if (kind === "Key") output.line(`    key: ${(result as { key: string }).key}`);
  else if (kind === "Webhook" && input.secret === undefined)
    output.line(`    secret: ${(result as { secret?: string }).secret}`);
}
