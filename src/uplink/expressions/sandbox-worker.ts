/** Waiting tasks of one sandbox process, and the process that evaluates them. */

import { FairQueue } from "./fair-queue.ts";
import { type ProcessOptions, type SandboxProcess, SandboxProcesses } from "./sandbox-process.ts";
import {
  type Evaluated,
  type ExpressionError,
  FILTER_PASSED,
  LONG,
  readResult,
  type SandboxTask,
  SKIPPED,
  taskLine,
} from "./sandbox-protocol.ts";

export interface SandboxItem {
  /** Key in the fair queue. */
  key: string;
  task: SandboxTask;
  event: string;
  done(result: Evaluated): void;
}

export interface SandboxWorkerOptions extends ProcessOptions {
  /** Keeps a spare process, which replaces a lost one at once. */
  keepsSpare: boolean;
  /** Tasks given to the process at once: several share the cost of a system call. */
  window: number;
  /** @param longMs CPU time of a long evaluation; 0 after a quick one */
  onResult(item: SandboxItem, result: Evaluated, longMs: number): void;
  /** Called when the task took too long or too much memory. `result` says which. */
  onOverrun(item: SandboxItem, result: Evaluated): void;
  /** Puts back tasks that were given and not evaluated. */
  onReturned(items: SandboxItem[]): void;
  /** Called when no process can be started. */
  onBroken(items: SandboxItem[], reason: string): void;
}

/** Wall-clock limit of one task, however little CPU time the process gets. */
const PATIENCE_MS = 5_000;
/** Milliseconds between two attempts to start a process. */
const BROKEN_MS = 1_000;

export class SandboxWorker {
  readonly waiting = new FairQueue<SandboxItem>();
  readonly #processes: SandboxProcesses;
  /** Given tasks in order of evaluation: the first one is running. */
  #given: SandboxItem[] = [];
  #givenAt = 0;
  #skipped: SandboxItem[] = [];
  #filterPassed = false;
  #longMs = 0;
  #process: SandboxProcess | undefined;
  /** Key to charge for the restart that its task caused. */
  #blamed: { key: string; since: number } | undefined;
  #brokenUntil = 0;
  #watch: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(private readonly options: SandboxWorkerOptions) {
    this.#processes = new SandboxProcesses(options);
  }

  put(item: SandboxItem): void {
    this.waiting.put(item.key, item);
    this.give();
  }

  /** Starts the process before there is a task. */
  warm(): void {
    if (this.#process || this.#closed || performance.now() < this.#brokenUntil) return;
    this.#process = this.#start();
  }

  close(): void {
    this.#closed = true;
    this.#end();
    this.#processes.close();
  }

  give(): void {
    if (this.#closed || this.waiting.isEmpty || this.#given.length > 0) return;
    this.warm();
    if (!this.#process) this.options.onBroken(this.waiting.takeAll(), "no process can be started");
    if (!this.#process?.isReady) return;
    let lines = "";
    while (this.#given.length < this.options.window && !this.waiting.isEmpty) {
      const item = this.waiting.next()!;
      this.#given.push(item);
      lines += taskLine(item.task, item.event);
    }
    this.#givenAt = performance.now();
    this.#process.give(lines);
    this.#watchOver();
  }

  /**
   * Watches for a task that the process cannot end at its limit itself. CPU time counts, not wall-clock time: on a busy
   * machine a harmless task takes long.
   */
  #watchOver(): void {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#check(performance.now() + PATIENCE_MS), 2 * this.options.limitMs);
  }

  #check(end: number, allowedMs?: number): void {
    const watch = this.#watch;
    // Results that arrived while the event loop was busy are read first.
    setImmediate(() => {
      if (watch !== this.#watch || !this.#process) return;
      const { limitMs } = this.options;
      const usedMs = this.#process.cpuMs();
      const allowed = allowedMs ?? usedMs + limitMs;
      if (usedMs >= allowed || performance.now() >= end) this.#ended("took too long");
      else this.#watch = setTimeout(() => this.#check(end, allowed), limitMs / 4);
    });
  }

  #start(): SandboxProcess {
    const taken = this.#processes.take();
    taken.onReady = () => {
      if (this.#blamed) this.waiting.charge(this.#blamed.key, performance.now() - this.#blamed.since);
      this.#blamed = undefined;
      if (this.options.keepsSpare) this.#processes.prepareSpare();
      this.give();
    };
    taken.onLine = (line) => this.#heard(line);
    taken.onEnded = (reason) => this.#ended(reason);
    if (taken.isReady) setImmediate(() => taken.onReady());
    return taken;
  }

  #heard(line: string): void {
    if (line === FILTER_PASSED) {
      this.#filterPassed = true;
      this.#watchOver();
      return;
    }
    if (line.startsWith(LONG)) {
      this.#longMs = Number(line.slice(LONG.length));
      return;
    }
    const item = this.#given.shift()!;
    const longMs = this.#longMs;
    this.#filterPassed = false;
    this.#longMs = 0;
    if (this.#given.length > 0) this.#watchOver();
    else this.#unwatch();
    if (line === SKIPPED) this.#skipped.push(item);
    else {
      const result = readResult(line);
      if (longMs > 0) this.waiting.charge(item.key, longMs);
      if (result.kind === "failed" && result.slow) this.options.onOverrun(item, result);
      else this.options.onResult(item, result, longMs);
    }
    if (this.#given.length > 0) return;
    this.#return([]);
    this.give();
  }

  #return(bystanders: SandboxItem[]): void {
    const items = [...this.#skipped, ...bystanders];
    this.#skipped = [];
    if (items.length > 0) this.options.onReturned(items);
  }

  /** Handles the loss of the process: the running task is blamed, and the next process evaluates all others. */
  #ended(reason: string): void {
    const [first, ...others] = this.#given;
    const error = errorOf(first, this.#filterPassed);
    const isBroken = this.#process?.isReady === false;
    this.#end();
    if (first) {
      this.#blamed = { key: first.key, since: this.#givenAt };
      this.options.onOverrun(first, { kind: "failed", error, detail: `the expression ${reason}` });
    } else if (isBroken) {
      this.#brokenUntil = performance.now() + BROKEN_MS;
      this.options.onBroken(this.waiting.takeAll(), reason);
    }
    this.#return(others);
    this.give();
  }

  #end(): void {
    this.#unwatch();
    this.#process?.end();
    this.#process = undefined;
    this.#given = [];
    this.#filterPassed = false;
    this.#longMs = 0;
  }

  #unwatch(): void {
    clearTimeout(this.#watch);
    this.#watch = undefined;
  }
}

/** Returns the error kind of the expression that a running task is evaluating. */
function errorOf(item: SandboxItem | undefined, filterPassed: boolean): ExpressionError {
  const isFilter = item?.task.transform === undefined || (item.task.filter !== undefined && !filterPassed);
  return isFilter ? "filter_error" : "transform_error";
}
