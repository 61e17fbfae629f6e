/** What Linux knows about a process. */
import { readFileSync } from "node:fs";

/** Resident memory in MB. */
export function residentMb(pid: number): number {
  const [, kb] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kb) / 1_024;
}

/** Linux counts in hundredths of a second (USER_HZ). */
const TICK_MICROSECONDS = 10_000;

/**
 * CPU time so far, of all threads and of both the program and the kernel on its behalf, in microseconds. What is
 * measured by it hardly changes when other programs take their share of the machine, unlike requests a second.
 */
export function cpuMicroseconds(pid: number): number {
  // The name, which may hold anything, ends with the last parenthesis; utime and stime are fields 14 and 15 (proc(5)).
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROSECONDS;
}
