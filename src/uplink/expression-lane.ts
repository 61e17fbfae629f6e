/** A queue of events to evaluate, and the process that does it: one webhook's after another's, in turn. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import {
  type Evaluated,
  type ExpressionError,
  FILTER_PASSED,
  lineReader,
  READY,
  readResult,
  type Task,
  taskLine,
} from "./expression-lines.ts";

/** Given to the process at once: enough that a system call costs little for each. */
const WINDOW = 64;
/** The process ends a task itself after 100 ms where it can; this is for where it cannot. */
const STUCK_MS = 400;
/** A start that takes longer has failed. */
const START_MS = 15_000;
/** A machine that is busy looks like an expression that is slow: only the second time counts. */
const TRIES = 2;
/** Of the process, in MB. Far above what an event of the largest size needs. */
const HEAP = ["--max-old-space-size=96", "--max-semi-space-size=4"];

interface Item {
  /** Whose turn it is. */
  key: string;
  task: Task;
  event: string;
  done(result: Evaluated): void;
  overruns: number;
}

export interface LaneOptions {
  /** The largest result of a transform, in bytes. */
  maxBytes: number;
  /** An expression of this key took too long, or too much memory. */
  onOverrun(key: string): void;
}

export class Lane {
  /** By key, in the order of turns; none is empty. */
  readonly #waiting = new Map<string, Item[]>();
  /** Given to the process, in order: the first one is under way. */
  #given: Item[] = [];
  #filterPassed = false;
  #child: ChildProcess | undefined;
  #isReady = false;
  #watch: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(private readonly options: LaneOptions) {}

  /** Never rejects. Never resolves once the lane is closed, when the process ends anyway. */
  evaluate(key: string, task: Task, event: string): Promise<Evaluated> {
    return new Promise((done) => {
      this.#put({ key, task, event, done, overruns: 0 });
      this.#give();
    });
  }

  close(): void {
    this.#closed = true;
    this.#end();
  }

  #put(item: Item): void {
    const items = this.#waiting.get(item.key);
    if (items) items.push(item);
    else this.#waiting.set(item.key, [item]);
  }

  /** Hands over the next WINDOW, one of each key in turn. */
  #give(): void {
    if (this.#closed || this.#waiting.size === 0) return;
    if (!this.#child) this.#start();
    if (!this.#isReady || this.#given.length > 0) return;
    const lines: string[] = [];
    while (lines.length < WINDOW && this.#waiting.size > 0) {
      const [key, items] = this.#waiting.entries().next().value!;
      const item = items.shift()!;
      this.#waiting.delete(key);
      if (items.length > 0) this.#waiting.set(key, items);
      // One that was too slow before goes alone, so that it costs nobody else another process.
      if (item.overruns > 0 && this.#given.length > 0) {
        this.#put(item);
        break;
      }
      this.#given.push(item);
      lines.push(taskLine(item.task, item.event));
      if (item.overruns > 0) break;
    }
    this.#child!.stdin!.write(lines.join(""));
    this.#watchOver();
  }

  #watchOver(ms = STUCK_MS): void {
    clearTimeout(this.#watch);
    // What came while this process was busy itself is read before the judgement.
    this.#watch = setTimeout(() => {
      const first = this.#given[0];
      setImmediate(() => {
        if (this.#watch !== undefined && this.#given[0] === first) this.#overrun("took too long");
      });
    }, ms);
  }

  #start(): void {
    const child = spawn(
      process.execPath,
      [...loaders(process.execArgv), ...HEAP, PROGRAM, `${this.options.maxBytes}`],
      {
        // Nothing of the bridge's: neither its settings nor its standard error.
        env: {},
        stdio: ["pipe", "pipe", "ignore", "pipe"], // the last one is WATCHED_FD
      },
    );
    this.#child = child;
    this.#isReady = false;
    const ended = (reason: string) => {
      if (this.#child === child) this.#overrun(reason);
    };
    child.once("error", (error) => ended(`cannot be evaluated: ${error.message}`));
    child.once("exit", () => ended("needed too much memory"));
    for (const pipe of child.stdio) pipe?.on("error", () => undefined); // "exit" follows
    child.stdout!.setEncoding("utf8").on(
      "data",
      lineReader((line) => {
        if (this.#child === child) this.#heard(line);
      }),
    );
    this.#watchOver(START_MS);
  }

  #heard(line: string): void {
    if (line === FILTER_PASSED) {
      this.#filterPassed = true;
      this.#watchOver();
      return;
    }
    if (line === READY) this.#isReady = true;
    else this.#settle(readResult(line));
    clearTimeout(this.#watch);
    this.#watch = undefined;
    if (this.#given.length > 0) this.#watchOver();
    else this.#give();
  }

  #settle(result: Evaluated): void {
    const item = this.#given.shift()!;
    this.#filterPassed = false;
    const isSlow = result.kind === "failed" && result.slow === true;
    if (isSlow) this.options.onOverrun(item.key);
    if (isSlow && ++item.overruns < TRIES) this.#put(item);
    else item.done(result);
  }

  /** The process is of no use any more: the task under way is to blame, and all others are done by the next one. */
  #overrun(reason: string): void {
    const [first, ...others] = this.#given;
    const error = this.#errorOf(first);
    this.#end();
    for (const item of others) this.#put(item);
    if (first) {
      this.options.onOverrun(first.key);
      if (++first.overruns < TRIES) this.#put(first);
      else first.done({ kind: "failed", error, detail: `the expression ${reason}` });
    } else this.#failAll(`the expression ${reason}`); // it did not even start
    this.#give();
  }

  #failAll(detail: string): void {
    const items = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    for (const item of items) item.done({ kind: "failed", error: this.#errorOf(item), detail });
  }

  #errorOf(item: Item | undefined): ExpressionError {
    const isFilter = item?.task.transform === undefined || (item.task.filter !== undefined && !this.#filterPassed);
    return isFilter ? "filter_error" : "transform_error";
  }

  #end(): void {
    clearTimeout(this.#watch);
    this.#watch = undefined;
    const child = this.#child;
    this.#child = undefined;
    this.#given = [];
    this.#filterPassed = false;
    for (const pipe of child?.stdio ?? []) pipe?.destroy();
    child?.kill("SIGKILL");
  }
}

/** Beside this file, which is JavaScript once it is built. */
const PROGRAM = fileURLToPath(new URL(`expression-child${import.meta.url.slice(-3)}`, import.meta.url));

/** Of Node's options those that make it read what this process reads: from sources, a loader of TypeScript. */
export function loaders(execArgv: readonly string[]): string[] {
  const taken: string[] = [];
  for (const [i, option] of execArgv.entries()) {
    if (/^--(?:import|require|loader)=/.test(option)) taken.push(option);
    else if (/^(?:--import|--require|--loader|-r)$/.test(option)) taken.push(option, execArgv[i + 1]!);
  }
  return taken;
}
