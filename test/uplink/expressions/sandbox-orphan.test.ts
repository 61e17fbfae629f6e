/** Sandbox processes end with the bridge, even in the middle of an evaluation. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { startProcess } from "../../support/processes.ts";
import { testProgram } from "../../support/program.ts";
import { evaluatorsOf, statOf, WITHOUT_PROC } from "./evaluators.ts";

const HOST = testProgram(new URL("sandbox-host-process.ts", import.meta.url));
const CATASTROPHIC = '$contains("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", /^(a+)+$/)';
const ENDED_MS = 10_000;

it("kill -9 of the bridge ends its sandbox processes in the middle of a regular expression", {
  skip: WITHOUT_PROC,
}, async () => {
  const host = startProcess(process.execPath, [...HOST, CATASTROPHIC]);
  await host.waitFor(/busy/);
  // Keeps the bridge from ending the evaluation itself meanwhile.
  host.child.kill("SIGSTOP");
  const pids = evaluatorsOf(host.pid!);
  assert.ok(pids.length > 0, "the process that evaluates is there");
  host.child.kill("SIGKILL");
  await host.exited;
  const left = () => pids.filter((pid) => ![undefined, "Z"].includes(statOf(pid)?.[0]));
  try {
    await eventually(left, ({ length }) => length === 0, ENDED_MS);
  } finally {
    for (const pid of left()) process.kill(pid, "SIGKILL");
  }
});
