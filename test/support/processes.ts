/** Child processes for tests: started, observed, stopped, and never left behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter } from "node:events";
import { scaled } from "./speed.ts";

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface StartOptions {
  /** Added to this process's environment; `undefined` removes a variable. */
  env?: Record<string, string | undefined>;
  cwd?: string;
}

export interface WaitOptions {
  /** Scaled to the speed of the machine. */
  timeoutMs?: number;
  /** Offset in the output where the search starts: `child.output.length` for future output only. */
  from?: number;
}

const running = new Set<ChildProcess>();

/** Starts a program that ends with this process, unless this process gets SIGKILL. */
export function startProcess(command: string, args: string[] = [], options: StartOptions = {}): TestProcess {
  const env = { ...process.env, ...options.env };
  return new TestProcess(spawn(command, args, { cwd: options.cwd, env, stdio: ["ignore", "pipe", "pipe"] }), command);
}

export class TestProcess {
  /** Everything written to stdout and stderr so far. */
  output = "";
  /** Resolves when the process has ended and its output is complete. Never rejects. */
  readonly exited: Promise<Exit>;
  readonly #changes = new EventEmitter().setMaxListeners(0);

  constructor(
    readonly child: ChildProcess,
    readonly name: string,
  ) {
    running.add(child);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (chunk: string) => {
        this.output += chunk;
        this.#changes.emit("output");
      });
    }
    this.exited = new Promise((resolve) => {
      const end = (exit: Exit) => {
        running.delete(child);
        this.#changes.emit("end");
        resolve(exit);
      };
      child.on("close", (code, signal) => end({ code, signal }));
      child.on("error", (error) => {
        this.output += `${error.message}\n`;
        if (child.pid === undefined) end({ code: null, signal: null }); // it could not be started: no "close" follows
      });
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Resolves with the first match in the output, past or future. Rejects on timeout or if the process ends first. */
  waitFor(pattern: RegExp, { timeoutMs = 15_000, from = 0 }: WaitOptions = {}): Promise<RegExpExecArray> {
    const once = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ""));
    let cleanUp = () => {};
    const found = new Promise<RegExpExecArray>((resolve, reject) => {
      const fail = (why: string) =>
        reject(new Error(`${this.name} ${why} before ${pattern} appeared. Its output:\n${excerpt(this.output, from)}`));
      const look = () => {
        const match = once.exec(this.output.slice(from));
        if (match) resolve(match);
        else if (!running.has(this.child)) fail("ended");
      };
      const timer = setTimeout(() => fail(`took more than ${scaled(timeoutMs)} ms`), scaled(timeoutMs));
      this.#changes.on("output", look).on("end", look);
      cleanUp = () => {
        clearTimeout(timer);
        this.#changes.off("output", look).off("end", look);
      };
      look();
    });
    return found.finally(cleanUp);
  }

  /** Sends a signal and waits for the exit; after the timeout, which is scaled, kills the process and rejects. */
  async stop(signal: NodeJS.Signals = "SIGTERM", timeoutMs = 15_000): Promise<Exit> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.child.kill("SIGKILL");
    }, scaled(timeoutMs));
    if (running.has(this.child)) this.child.kill(signal);
    const exit = await this.exited;
    clearTimeout(timer);
    if (late)
      throw new Error(
        `${this.name} did not end within ${scaled(timeoutMs)} ms of ${signal}. Its output:\n${excerpt(this.output)}`,
      );
    return exit;
  }

  /** Kills the process with SIGKILL, its equivalent of a power cut. */
  kill(): Promise<Exit> {
    return this.stop("SIGKILL");
  }
}

/** Returns the beginning and the end of the output, from a little before `from` on: reports of failures stay short. */
function excerpt(output: string, from = 0): string {
  const text = output.slice(Math.max(0, from - 1_000));
  return text.length <= 6_000 ? text : `${text.slice(0, 3_000)}\n…\n${text.slice(-3_000)}`;
}

function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

process.on("exit", killAll);
// The test runner ends a file on timeout with SIGTERM, which by itself does not emit "exit".
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    killAll();
    process.kill(process.pid, signal);
  });
}
