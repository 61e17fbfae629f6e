import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { temporaryDirectory } from "../support/directories.ts";
import { startProcess } from "../support/processes.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SOURCE = join(ROOT, "src/bullmq-sqlite");

const PROGRAM = `
import { Queue, Worker } from "bullmq";
import { createSqliteBackend, SqliteConnection } from "./bullmq-sqlite/index.js";
const connection = await SqliteConnection.open({ file: "queues.db" });
const queue = new Queue("a", { connection }, createSqliteBackend);
const worker = new Worker("a", async (job) => job.data, { connection }, createSqliteBackend);
const completed = new Promise((resolve) => worker.on("completed", (_job, result) => resolve(result)));
await queue.add("a", "plain");
console.log("result:", await completed);
await worker.close();
await queue.close();
await connection.close();
`;

test("runs as plain JavaScript, away from the rest of the project, and ends when closed", {
  timeout: 60_000,
}, async () => {
  const directory = temporaryDirectory("plain-js");
  for (const name of readdirSync(SOURCE, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".ts")) continue;
    const { outputText } = ts.transpileModule(readFileSync(join(SOURCE, name), "utf8"), {
      compilerOptions: {
        target: ts.ScriptTarget.ES2023,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
    });
    const target = join(directory, "bullmq-sqlite", name.replace(/\.ts$/, ".js"));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, outputText);
  }
  symlinkSync(join(ROOT, "node_modules"), join(directory, "node_modules"));
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
  writeFileSync(join(directory, "program.js"), PROGRAM);
  const child = startProcess(process.execPath, ["program.js"], { cwd: directory });
  const { code } = await child.exited;
  assert.equal(code, 0, child.output);
  assert.match(child.output, /result: plain/);
});
