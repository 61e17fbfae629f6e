/** Process figures from Linux `/proc`. */
import { readFileSync } from "node:fs";

/** Resident memory in MB. */
export function residentMb(pid: number): number {
  const [, kb] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kb) / 1_024;
}

/** Linux counts CPU time in hundredths of a second (USER_HZ). */
const TICK_MICROSECONDS = 10_000;

/**
 * Total CPU time of a process in microseconds: all threads, user and system time. Unlike requests per second, it hardly
 * changes with the load of other programs on the machine.
 */
export function cpuMicroseconds(pid: number): number {
  // The name can contain anything and ends at the last parenthesis; utime and stime are fields 14 and 15 (proc(5)).
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROSECONDS;
}
