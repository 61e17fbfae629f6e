/** The processes of a run: brokers, stores, bridges and bare programs. All are ended, however the run ends. */
import { type ChildProcess, fork, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";

const running = new Set<ChildProcess>();
const adopted = new Set<Child>();

export interface Child {
  readonly pid: number;
  readonly process: ChildProcess;
  /** The tail of its stderr output. */
  readonly errors: () => string;
  /** Stops the process and waits for its exit; sends SIGKILL after `graceMs`. Idempotent. */
  stop(graceMs?: number): Promise<void>;
}

const KEPT_ERRORS = 4_000;
const NO_IPC: StdioOptions = ["ignore", "ignore", "pipe"];

/** Starts a program with stdout on /dev/null and an environment of `options.env`, PATH and HOME only. */
export function startProgram(
  command: string,
  args: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Child {
  return adopt(spawn(command, args, { cwd: options.cwd, env: { ...basics(), ...options.env }, stdio: NO_IPC }));
}

/** A TypeScript file of `bench/children`, run as a process that responds to {@link Asked.ask}. */
export interface Asked extends Child {
  ask<T>(question: string, content?: object): Promise<T>;
}

const ANSWER_MS = 120_000;

export function startModule(name: string, env: NodeJS.ProcessEnv): Asked {
  const file = new URL(`../children/${name}.ts`, import.meta.url).pathname;
  const process = fork(file, {
    env: { ...basics(), ...env },
    execArgv: ["--import", import.meta.resolve("tsx")],
    stdio: [...(NO_IPC as []), "ipc"],
  });
  let last = 0;
  const child = adopt(process);
  return {
    ...child,
    ask<T>(question: string, content: object = {}): Promise<T> {
      const id = ++last;
      return new Promise<T>((resolve, reject) => {
        const settle = (act: () => void) => {
          clearTimeout(timer);
          process.off("message", onMessage).off("exit", onExit);
          act();
        };
        const onMessage = (reply: { id: number; answer: T; error?: string }) => {
          if (reply.id !== id) return;
          settle(() =>
            reply.error === undefined ? resolve(reply.answer) : reject(new Error(`${name}: ${reply.error}`)),
          );
        };
        const onExit = () => settle(() => reject(new Error(`${name} ended. ${child.errors()}`)));
        const timer = setTimeout(
          () => settle(() => reject(new Error(`${name} did not answer ${question}`))),
          ANSWER_MS,
        );
        process.on("message", onMessage).on("exit", onExit);
        process.send({ id, question, content });
      });
    },
  };
}

/** Stops every process in reverse start order and waits for each exit. */
export async function stopAll(): Promise<void> {
  for (const child of [...adopted].reverse()) await child.stop();
  adopted.clear();
}

/** Kills every process immediately with SIGKILL. */
export function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

function basics(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: process.env.HOME };
}

function adopt(child: ChildProcess): Child {
  let errors = "";
  running.add(child);
  child.on("exit", () => running.delete(child));
  child.on("error", (error) => {
    running.delete(child);
    errors += error.message;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-KEPT_ERRORS);
  });
  const result: Child = {
    pid: child.pid ?? 0,
    process: child,
    errors: () => errors,
    async stop(graceMs = 15_000) {
      if (!running.has(child)) return;
      const ended = once(child, "exit");
      const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
      child.kill("SIGCONT");
      child.kill("SIGTERM");
      await ended;
      clearTimeout(timer);
    },
  };
  adopted.add(result);
  return result;
}

process.on("exit", killAll);
