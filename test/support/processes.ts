/** Child processes for tests: started, listened to, stopped and never left behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter } from "node:events";

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface StartOptions {
  /** Added to this process's environment; `undefined` takes a variable away. */
  env?: Record<string, string | undefined>;
  cwd?: string;
}

export interface WaitOptions {
  timeoutMs?: number;
  /** Looks only at the output from this offset on: `child.output.length` for what is still to come. */
  from?: number;
}

const running = new Set<ChildProcess>();

/** Starts a program. Whatever this process's end is, short of SIGKILL, the program ends with it. */
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

  /** The first match in the output, past or to come. Rejects when the process ends without it, or takes too long. */
  waitFor(pattern: RegExp, { timeoutMs = 15_000, from = 0 }: WaitOptions = {}): Promise<RegExpExecArray> {
    const once = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ""));
    let cleanUp = () => {};
    const found = new Promise<RegExpExecArray>((resolve, reject) => {
      const fail = (why: string) =>
        reject(new Error(`${this.name} ${why} before ${pattern} appeared. Its output:\n${this.output}`));
      const look = () => {
        const match = once.exec(this.output.slice(from));
        if (match) resolve(match);
        else if (!running.has(this.child)) fail("ended");
      };
      const timer = setTimeout(() => fail(`took more than ${timeoutMs} ms`), timeoutMs);
      this.#changes.on("output", look).on("end", look);
      cleanUp = () => {
        clearTimeout(timer);
        this.#changes.off("output", look).off("end", look);
      };
      look();
    });
    return found.finally(cleanUp);
  }

  /** Sends a signal and waits for the end; kills the process, and rejects, when that takes too long. */
  async stop(signal: NodeJS.Signals = "SIGTERM", timeoutMs = 15_000): Promise<Exit> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.child.kill("SIGKILL");
    }, timeoutMs);
    if (running.has(this.child)) this.child.kill(signal);
    const exit = await this.exited;
    clearTimeout(timer);
    if (late)
      throw new Error(`${this.name} did not end within ${timeoutMs} ms of ${signal}. Its output:\n${this.output}`);
    return exit;
  }

  /** `kill -9`: what a power cut is to a process. */
  kill(): Promise<Exit> {
    return this.stop("SIGKILL");
  }
}

function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

process.on("exit", killAll);
// The test runner ends a file that takes too long with SIGTERM, which does not lead to "exit" by itself.
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    killAll();
    process.kill(process.pid, signal);
  });
}
