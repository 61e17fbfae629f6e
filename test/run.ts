/**
 * Runs the tests: all of them, or with `--unit` those of the code that start no process; with `--only PATTERN` those
 * whose names match, for example `npm run test:unit -- --only "retry"`.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { compile } from "./compile.ts";
import { BUILT, COMPILED, IS_BUILT } from "./support/program.ts";
import { scaled } from "./support/speed.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Where the compiled files are: their packages are found from there. */
const CACHE = join(ROOT, "node_modules/.cache");
mkdirSync(CACHE, { recursive: true });
const OUT = mkdtempSync(join(CACHE, "tests-"));
process.once("exit", () => rmSync(OUT, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
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

/** Looks at the files of the functions that are called. */
const FROM_SOURCE = "test/flows/composition.test.ts";

/** Returns the file to run. */
function compiled(file: string): string {
  const to = join(OUT, file.replace(/\.ts$/, ".js"));
  if (file !== FROM_SOURCE) return to;
  const url = pathToFileURL(join(ROOT, file));
  writeFileSync(to, `import { register } from "tsx/esm/api";\nregister();\nawait import(${JSON.stringify(url)});\n`);
  return to;
}

/** Writes files that import the unit tests, neighbours together. */
function groupUnitTests(files: string[]): string[] {
  return Array.from({ length: Math.ceil(files.length / GROUP) }, (_, i) => {
    const entry = join(OUT, `unit-${i + 1}.test.js`);
    const urls = files.slice(i * GROUP, (i + 1) * GROUP).map((file) => pathToFileURL(compiled(file)));
    writeFileSync(entry, urls.map((url) => `import ${JSON.stringify(url)};\n`).join(""));
    return entry;
  });
}

// test/docs/ checks documents and sources, which takes as long as a quarter of the unit tests.
const isUnit = (file: string) => !(/^test\/(?:flows|docs)\//.test(file) || startsProcess(file));
const listFiles = (ending: string) =>
  readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ending))
    .map((name) => join("test", name))
    .sort();
const all = listFiles(".test.ts");
const { values: options } = parseArgs({
  options: { unit: { type: "boolean", default: false }, only: { type: "string", multiple: true, default: [] } },
});
const others = options.unit ? [] : all.filter((file) => !isUnit(file));
const units = all.filter(isUnit);
// Tests start these in other processes and threads.
const programs = others.length > 0 ? [...listFiles("-process.ts"), ...listFiles("procedures.ts")] : [];
await compile([...units, ...others, ...programs], ROOT, OUT);
process.env[COMPILED] = OUT;
process.env[BUILT] = String(IS_BUILT);
const unit = [
  ...groupUnitTests(units.filter((file) => !hasRootHook(file))),
  ...units.filter(hasRootHook).map(compiled),
];
const isBrowser = (file: string) => file.endsWith(".browser.test.ts");
const isFlow = (file: string) => file.startsWith("test/flows/");

/** Settings of glibc's malloc: huge pages, one arena, and no memory returned to the system that is needed again soon. */
const MALLOC = Object.entries({ hugetlb: 1, arena_max: 1, mmap_threshold: 30_000_000, trim_threshold: 100_000_000 })
  .map(([name, value]) => `glibc.malloc.${name}=${value}`)
  .join(":");

/** Spreads the files of each kind over the whole run: those that compute run beside those that wait. */
function spread(kinds: string[][]): string[] {
  return kinds
    .flatMap((files) => files.map((file, i) => ({ file, at: (i + 0.5) / files.length })))
    .sort((a, b) => a.at - b.at)
    .map(({ file }) => file);
}

// Each process would read these certificates, which takes 50 ms: the tests call nothing but this machine.
delete process.env.NODE_EXTRA_CA_CERTS;
// As many processes start one after another, fewer and larger pages take an eighth off their CPU time.
process.env.GLIBC_TUNABLES ??= MALLOC;
// The processes of the files get these options: they load compiled files.
process.execArgv = ["--enable-source-maps"];
// Unlike `node --test`, which sorts the files, `run` keeps their order.
const results = run({
  files: spread([
    others.filter(isFlow).map(compiled),
    others.filter(isBrowser).map(compiled),
    others.filter((file) => !(isFlow(file) || isBrowser(file))).map(compiled),
    unit,
  ]),
  // Many scenarios wait: a file more than cores keeps the cores busy. With more, the same work takes more CPU time.
  concurrency: availableParallelism() + 1,
  timeout: scaled(FILE_TIMEOUT_MS),
  testNamePatterns: options.only,
});
results.on("test:fail", () => {
  process.exitCode = 1;
});
results.compose(new spec()).pipe(process.stdout);
