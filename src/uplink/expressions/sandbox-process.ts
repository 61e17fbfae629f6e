/** Starts and ends sandbox processes, and keeps a spare one warm. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import { lineReader, READY } from "./sandbox-protocol.ts";

/** A start that takes longer has failed. On a busy machine a process with a nice value starts many times slower. */
const START_MS = 60_000;
/** Heap of the process, in MB: far more than the largest event needs. */
const HEAP = ["--max-old-space-size=96", "--max-semi-space-size=4"];
/** Unit of CPU times in Linux's /proc. */
const TICK_MS = 10;
/** Next to this file and with its extension, which is that of JavaScript after a build. */
const PROGRAM = fileURLToPath(new URL(`sandbox-child${import.meta.url.slice(-3)}`, import.meta.url));

export interface ProcessOptions {
  /** Largest result of a transform, in bytes. */
  maxBytes: number;
  /** Time limit of one expression, in milliseconds. */
  limitMs: number;
  /** Added to the nice value. */
  niceness: number;
}

export class SandboxProcess {
  isReady = false;
  onReady = () => {};
  onLine = (_line: string) => {};
  /** Called when the process does not start, or has ended by itself and all of its lines were read. */
  onEnded = (_reason: string) => {};
  readonly #child: ChildProcess;
  readonly #starting: NodeJS.Timeout;

  constructor({ maxBytes, limitMs, niceness }: ProcessOptions) {
    const options = [maxBytes, limitMs].map(String);
    const child = spawn(process.execPath, [...loaders(process.execArgv), ...HEAP, PROGRAM, ...options], {
      // The process inherits neither the bridge's environment nor its standard error.
      env: {},
      stdio: ["pipe", "pipe", "ignore", "pipe"], // the last one is WATCHED_FD
    });
    this.#child = child;
    this.#starting = setTimeout(() => this.onEnded("cannot be evaluated: the process does not start"), START_MS);
    if (niceness > 0 && child.pid !== undefined) renice(child.pid, niceness);
    child.once("error", (error) => this.onEnded(`cannot be evaluated: ${error.message}`));
    // Not "exit", which may precede the last results: the wrong task would be blamed.
    child.once("close", () => this.onEnded("needed too much memory"));
    for (const pipe of child.stdio) pipe?.on("error", () => undefined); // "close" follows
    child.stdout!.setEncoding("utf8").on(
      "data",
      lineReader((line) => {
        if (line !== READY) return this.onLine(line);
        clearTimeout(this.#starting);
        this.isReady = true;
        this.onReady();
      }),
    );
  }

  give(lines: string): void {
    this.#child.stdin!.write(lines);
  }

  /** Returns the CPU time since the start in milliseconds; wall-clock time where the system has no /proc. */
  cpuMs(): number {
    try {
      const stat = readFileSync(`/proc/${this.#child.pid}/stat`, "latin1");
      const [user, system] = stat.slice(stat.lastIndexOf(")")).split(" ").slice(12, 14).map(Number) as [number, number];
      return (user + system) * TICK_MS;
    } catch {
      return performance.now();
    }
  }

  end(): void {
    this.onReady = this.onLine = this.onEnded = () => {};
    clearTimeout(this.#starting);
    for (const pipe of this.#child.stdio) pipe?.destroy();
    this.#child.kill("SIGKILL");
  }
}

/** Provides processes, and keeps a spare one warm on request: a start takes longer than hundreds of evaluations. */
export class SandboxProcesses {
  #spare: SandboxProcess | undefined;

  constructor(private readonly options: ProcessOptions) {}

  take(): SandboxProcess {
    const taken = this.#spare ?? new SandboxProcess(this.options);
    this.#spare = undefined;
    return taken;
  }

  /** Starts the spare process. Call it when the taken process is ready: two starts at once would delay the first. */
  prepareSpare(): void {
    if (this.#spare) return;
    const spare = new SandboxProcess(this.options);
    spare.onEnded = () => {
      spare.end();
      if (this.#spare === spare) this.#spare = undefined;
    };
    this.#spare = spare;
  }

  close(): void {
    this.#spare?.end();
    this.#spare = undefined;
  }
}

function renice(pid: number, niceness: number): void {
  try {
    setPriority(pid, niceness);
  } catch {
    // The process has ended already; its "close" event reports that.
  }
}

/** Returns the Node options that load modules, such as the TypeScript loader when the bridge runs from sources. */
export function loaders(execArgv: readonly string[]): string[] {
  const taken: string[] = [];
  for (const [i, option] of execArgv.entries()) {
    if (/^--(?:import|require|loader)=/.test(option)) taken.push(option);
    else if (/^(?:--import|--require|--loader|-r)$/.test(option)) taken.push(option, execArgv[i + 1]!);
  }
  return taken;
}
