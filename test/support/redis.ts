import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "./ports.ts";

/** Whether `redis-server` is on PATH. */
export function redisInstalled(): boolean {
  return spawnSync("redis-server", ["--version"], { stdio: "ignore" }).status === 0;
}

export interface StartRedisOptions {
  /** Data directory, kept at the end. Absent: a temporary one. */
  dir?: string;
  port?: number;
  /** Appended to the default arguments, so they take precedence. */
  args?: string[];
}

export interface TestRedis {
  url: string;
  port: number;
  dir: string;
  /** Stops Redis and removes its directory unless that was given. Idempotent. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Sends SIGKILL; the directory stays for another start. */
  kill(): Promise<void>;
  /** Sends a signal, e.g. SIGSTOP and SIGCONT for a Redis that keeps its connections but does not answer. */
  signal(signal: NodeJS.Signals): void;
}

/** Starts a real Redis on 127.0.0.1 that syncs each change to disk before it answers. Resolves when it answers PING. */
export async function startRedis(options: StartRedisOptions = {}): Promise<TestRedis> {
  const port = options.port ?? (await freePort());
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), "causeway-redis-")));
  // `everysec` postpones the write itself while an earlier fsync runs: a SIGKILL then loses acknowledged changes.
  const durable = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];
  const settings = ["--bind", "127.0.0.1", "--port", String(port), ...durable, "--maxmemory-policy", "noeviction"];
  const child = spawn("redis-server", [...settings, "--dir", dir, ...(options.args ?? [])], { stdio: "ignore" });
  const exited = once(child, "exit");
  try {
    await answersPing(port, child);
  } catch (err) {
    await end(child, exited, "SIGKILL");
    throw err;
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    dir,
    async stop(signal = "SIGTERM") {
      await end(child, exited, signal);
      if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
    },
    kill: () => end(child, exited, "SIGKILL"),
    signal: (signal) => void child.kill(signal),
  };
}

async function end(child: ChildProcess, exited: Promise<unknown>, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal);
  await exited;
}

async function answersPing(port: number, child: ChildProcess): Promise<void> {
  while (!(await isAnswered(port))) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`redis-server on port ${port} did not start`);
    await delay(20);
  }
}

/** Without ioredis, which many tests need for nothing else, and which takes each of them 50 ms to load. */
function isAnswered(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    socket.once("data", (answer) => {
      socket.destroy();
      resolve(answer.toString() === "+PONG\r\n");
    });
    socket.once("error", () => resolve(false)); // refused until Redis listens
    socket.once("end", () => resolve(false));
  });
}
