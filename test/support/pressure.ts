/** What a fault costs the process, looked at while it lasts. */
import { residentMegabytes } from "./attack.ts";

const LOOK_MS = 100;

export interface MemoryWatch {
  /** Megabytes resident when it began. */
  readonly before: number;
  /** Megabytes by which the process was larger at its largest. */
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
