/** Measures the memory of a process during a fault. */
import { residentMegabytes } from "./attack.ts";

const LOOK_MS = 100;

export interface MemoryWatch {
  /** Resident megabytes at the start. */
  readonly before: number;
  /** Largest increase of the resident memory, in megabytes. */
  readonly grown: number;
  stop(): void;
}

/** Watches the resident memory of a process until it is stopped. */
export function watchMemory(pid: number): MemoryWatch {
  const before = residentMegabytes(pid);
  let largest = before;
  const timer = setInterval(() => {
    try {
      largest = Math.max(largest, residentMegabytes(pid));
    } catch {
      clearInterval(timer); // it has ended
    }
  }, LOOK_MS);
  return {
    before,
    get grown() {
      return largest - before;
    },
    stop: () => clearInterval(timer),
  };
}
