/** Sandbox processes end with the bridge, even in the middle of an evaluation. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { it } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { startProcess } from "../../support/processes.ts";
import { testProgram } from "../../support/program.ts";

const HOST = testProgram(new URL("sandbox-host-process.ts", import.meta.url));
const CATASTROPHIC = '$contains("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", /^(a+)+$/)';
const ENDED_MS = 10_000;

/** Reads a file of Linux's /proc; undefined when the process is gone. */
function read(pid: string, file: "stat" | "cmdline"): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return undefined;
  }
}

/** The fields after the process name, which may contain any character. */
const stateOf = (pid: string) =>
  read(pid, "stat")
    ?.replace(/^.*\) /s, "")
    .split(" ");

it("kill -9 of the bridge ends its sandbox processes in the middle of a regular expression", {
  skip: process.platform !== "linux" && "looks into /proc",
}, async () => {
  const host = startProcess(process.execPath, [...HOST, CATASTROPHIC]);
  await host.waitFor(/busy/);
  // Keeps the bridge from ending the evaluation itself meanwhile.
  host.child.kill("SIGSTOP");
  const pids = readdirSync("/proc").filter(
    (name) => stateOf(name)?.[1] === String(host.pid) && read(name, "cmdline")?.includes("sandbox-child"),
  );
  assert.ok(pids.length > 0, "the process that evaluates is there");
  host.child.kill("SIGKILL");
  await host.exited;
  const left = () => pids.filter((pid) => ![undefined, "Z"].includes(stateOf(pid)?.[0]));
  try {
    await eventually(left, ({ length }) => length === 0, ENDED_MS);
  } finally {
    for (const pid of left()) process.kill(Number(pid), "SIGKILL");
  }
});
