import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../support/directories.ts";
import { startProcess } from "../../support/processes.ts";
import { testProgram } from "../../support/program.ts";
import { requireOrSkip } from "../../support/requirements.ts";

const WRITER = testProgram(new URL("writer-process.ts", import.meta.url));
const needs = requireOrSkip("strace");

test("the write-ahead log is synced before a call is acknowledged", { ...needs, timeout: 60_000 }, async (context) => {
  const directory = temporaryDirectory("sync");
  const [file, trace] = [join(directory, "test.db"), join(directory, "trace")];
  const args = ["-f", "-y", "-qq", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o", trace];
  const child = startProcess("strace", [...args, process.execPath, ...WRITER, file, "3"]);
  const { code } = await child.exited;
  // Not in CI, where no test may be skipped.
  const isDenied = /ptrace|Operation not permitted/.test(child.output);
  if (isDenied && !process.env.CI) return context.skip("ptrace is not allowed here");
  assert.equal(code, 0, child.output);
  // Other threads' calls lie between; what counts is the order of these.
  const steps = readFileSync(trace, "utf8")
    .split("\n")
    .map((line) => {
      if (/\b(fsync|fdatasync)\(\d+<[^>]*-wal>/.test(line)) return "sync";
      if (/pwrite64\(\d+<[^>]*-wal>/.test(line)) return "write";
      return /write\(1<.*"(open|acknowledged \d)/.exec(line)?.[1];
    })
    .filter((step) => step !== undefined);
  const sinceOpen = steps.slice(steps.indexOf("open") + 1);
  for (const n of [1, 2, 3]) {
    const at = sinceOpen.indexOf(`acknowledged ${n}`);
    const before = sinceOpen.slice(n === 1 ? 0 : sinceOpen.indexOf(`acknowledged ${n - 1}`) + 1, at);
    assert.ok(before.includes("write"), `the note ${n} was written: ${before}`);
    assert.equal(before.at(-1), "sync", `the note ${n} was synced: ${before}`);
  }
});
