/**
 * Runs the tests: all of them, or with `--unit` those of the code that start no process. Other arguments go to
 * `node --test`, for example `npm run test:unit -- --test-reporter=dot`.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
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
const others = process.argv.includes("--unit") ? [] : all.filter((file) => !isUnit(file));
// Scenarios take longest: they begin first, and short files fill the end.
const files = [
  ...others.filter((file) => file.includes("flows")),
  ...others.filter((file) => !file.includes("flows")),
  ...unit,
];

// Most scenarios wait rather than compute: two files more than cores keep the cores busy.
const concurrency = availableParallelism() + 2;
const options = ["--test-reporter=spec", `--test-timeout=${scaled(FILE_TIMEOUT_MS)}`];
const own = process.argv.slice(2).filter((arg) => arg !== "--unit");
const args = ["--import", "tsx", "--test", ...options, `--test-concurrency=${concurrency}`, ...own, ...files];
const child = spawn(process.execPath, args, { cwd: ROOT, stdio: "inherit" });
child.on("close", (code, signal) => {
  rmSync(groups, { recursive: true, force: true });
  process.exit(signal ? 1 : (code ?? 1));
});
