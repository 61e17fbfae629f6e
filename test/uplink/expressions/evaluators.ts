/** The sandbox processes of a process, on Linux, where /proc lists them. */
import { readdirSync, readFileSync } from "node:fs";

/** For `skip`: the reason where there is no /proc. */
export const WITHOUT_PROC = process.platform !== "linux" && "looks into /proc";

/** Returns the fields of /proc/…/stat from the state on; undefined when the process is gone. */
export function statOf(pid: number): string[] | undefined {
  // The name of the process, which comes before, may contain any character.
  return read(pid, "stat")
    ?.replace(/^.*\) /s, "")
    .split(" ");
}

/** Returns the processes that evaluate for `parent`. */
export function evaluatorsOf(parent: number): number[] {
  if (WITHOUT_PROC) return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => statOf(pid)?.[1] === String(parent) && read(pid, "cmdline")?.includes("sandbox-child"));
}

function read(pid: number, file: "stat" | "cmdline"): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return undefined;
  }
}
