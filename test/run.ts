/**
 * Runs the tests: all of them, or with `--unit` those of the code that start no process; with `--only PATTERN` those
 * whose names match, for example `npm run test:unit -- --only "retry"`.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { scaled } from "./support/speed.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Ends a file that hangs. */
const FILE_TIMEOUT_MS = 300_000;
/** Modules that start a process, or a database that costs as much. */
const STARTS =
  /from "node:child_process"|store\/sqlite\/open\.ts"|bullmq-sqlite\/index\.ts"|expressions\/sandbox\.ts"|src\/bridge\.ts"/;

/** Returns whether a file, or a file of `test/` that it imports, starts a process. */
function startsProcess(file: string, seen = new Set<string>()): boolean {
  if (seen.has(file)) return false;
  seen.add(file);
  const text = readFileSync(join(ROOT, file), "utf8");
  if (STARTS.test(text)) return true;
  const imports = [...text.matchAll(/^(?:import|export) (?!type )[^;]*? from "(\.[^"]+\.ts)"/gm)];
  return imports
    .map(([, path]) => join(dirname(file), path!))
    .some((path) => path.startsWith("test/") && startsProcess(path, seen));
}

/** Unit test files that run in one process: alone, each would spend most of its time on loading the same modules. */
const GROUP = 34;

/** A hook outside of `describe`: in a shared process it would concern the tests of other files. */
const ROOT_HOOK = /^(?:before|after)(?:Each)?\(/m;
const hasRootHook = (file: string) => ROOT_HOOK.test(readFileSync(join(ROOT, file), "utf8"));

/** Writes files that import the unit tests, neighbours together. */
function groupUnitTests(files: string[], to: string): string[] {
  return Array.from({ length: Math.ceil(files.length / GROUP) }, (_, i) => {
    const entry = join(to, `unit-${i + 1}.test.mjs`);
    const urls = files.slice(i * GROUP, (i + 1) * GROUP).map((file) => pathToFileURL(join(ROOT, file)));
    writeFileSync(entry, urls.map((url) => `import ${JSON.stringify(url)};\n`).join(""));
    return entry;
  });
}

// test/docs/ checks documents and sources, which takes as long as a quarter of the unit tests.
const isUnit = (file: string) => !(/^test\/(?:flows|docs)\//.test(file) || startsProcess(file));
const all = readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => join("test", name))
  .sort();
const groups = mkdtempSync(join(tmpdir(), "causeway-unit-"));
const unit = [
  ...groupUnitTests(
    all.filter((file) => isUnit(file) && !hasRootHook(file)),
    groups,
  ),
  ...all.filter((file) => isUnit(file) && hasRootHook(file)),
];
const { values: options } = parseArgs({
  options: { unit: { type: "boolean", default: false }, only: { type: "string", multiple: true, default: [] } },
});
const others = options.unit ? [] : all.filter((file) => !isUnit(file));
const isBrowser = (file: string) => file.endsWith(".browser.test.ts");
const isFlow = (file: string) => file.startsWith("test/flows/");

/** Spreads the files of each kind over the whole run: those that compute run beside those that wait. */
function spread(kinds: string[][]): string[] {
  return kinds
    .flatMap((files) => files.map((file, i) => ({ file, at: (i + 0.5) / files.length })))
    .sort((a, b) => a.at - b.at)
    .map(({ file }) => file);
}

// Unlike `node --test`, which sorts the files, `run` keeps their order.
const results = run({
  files: spread([
    others.filter(isFlow),
    others.filter(isBrowser),
    others.filter((file) => !(isFlow(file) || isBrowser(file))),
    unit,
  ]).map((file) => resolve(ROOT, file)),
  // Many scenarios wait: a file more than cores keeps the cores busy. With more, the same work takes more CPU time.
  concurrency: availableParallelism() + 1,
  timeout: scaled(FILE_TIMEOUT_MS),
  testNamePatterns: options.only,
});
results.on("test:fail", () => {
  process.exitCode = 1;
});
results.compose(new spec()).pipe(process.stdout);
process.once("exit", () => rmSync(groups, { recursive: true, force: true }));
