/**
 * Runs the tests: all of them, or with `--unit` those that start no process. Other arguments go to `node --test`, for
 * example `npm run test:unit -- --test-reporter=dot`.
 */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { scaled } from "./support/speed.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Ends a file that hangs. */
const FILE_TIMEOUT_MS = 300_000;
/** Modules that start a process, or a database that costs as much. */
const STARTS = /from "node:child_process"|store\/sqlite\/open\.ts"|expressions\/sandbox\.ts"|src\/bridge\.ts"/;

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

const unit = process.argv.includes("--unit");
const files = readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => join("test", name))
  .filter((file) => !unit || !(file.startsWith("test/flows/") || startsProcess(file)))
  // Scenarios take longest: they begin first, and short files fill the end.
  .sort((a, b) => Number(b.includes("/flows/")) - Number(a.includes("/flows/")) || (a < b ? -1 : 1));

// Most scenarios wait rather than compute: one file more than cores keeps the cores busy.
const concurrency = availableParallelism() + 1;
const options = ["--test-reporter=spec", `--test-timeout=${scaled(FILE_TIMEOUT_MS)}`];
const own = process.argv.slice(2).filter((arg) => arg !== "--unit");
const args = ["--import", "tsx", "--test", ...options, `--test-concurrency=${concurrency}`, ...own, ...files];
const child = spawn(process.execPath, args, { cwd: ROOT, stdio: "inherit" });
child.on("close", (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
