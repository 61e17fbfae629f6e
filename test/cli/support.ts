/** The program `causeway` as a child process. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import type { TestBridge } from "../support/bridge.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { CLI } from "../support/program.ts";
import { scaled } from "../support/speed.ts";

/** The key of test bridges. */
export const API_KEY = "test-key-0123456789abcdef";

export interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}

interface RunOptions {
  env?: Record<string, string | undefined>;
  cwd?: string;
  input?: string | Buffer;
}

const LIMIT_MS = 60_000;
/** A folder without profiles, `.env` and data. */
export const NOWHERE = temporaryDirectory("cli");

/** The environment of a command: nothing of the developer's own, and the address and key of the bridge. */
export function cliEnv(bridge?: Pick<TestBridge, "url">): Record<string, string | undefined> {
  const none = { NO_COLOR: undefined, PORT: undefined, DATA_DIR: undefined, BASE_PATH: undefined };
  const target = bridge ? { CAUSEWAY_URL: bridge.url, CAUSEWAY_API_KEY: API_KEY } : {};
  return { CAUSEWAY_URL: undefined, CAUSEWAY_API_KEY: undefined, XDG_CONFIG_HOME: NOWHERE, ...none, ...target };
}

export function spawnCli(
  args: readonly string[],
  { env = cliEnv(), cwd = NOWHERE }: RunOptions = {},
): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [...CLI, ...args], { cwd, env: { ...process.env, ...env } });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("close", () => process.off("exit", kill));
  return child;
}

/** Runs a command to its end. */
export async function runCli(args: readonly string[], options: RunOptions = {}): Promise<Result> {
  const child = spawnCli(args, options);
  const outputs = Promise.all([text(child.stdout), text(child.stderr)]);
  child.stdin.on("error", () => undefined).end(options.input ?? "");
  const timer = setTimeout(() => child.kill("SIGKILL"), scaled(LIMIT_MS));
  const [code] = await once(child, "close");
  clearTimeout(timer);
  const [stdout, stderr] = await outputs;
  return { code, stdout, stderr };
}

/** Runs a command with `--json` and returns the document it prints. */
export async function runJson(args: readonly string[], options: RunOptions = {}) {
  const { code, stdout, stderr } = await runCli([...args, "--json"], options);
  if (code !== 0) throw new Error(`causeway ${args.join(" ")} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout);
}

/** Starts `causeway listen`; resolves once its webhook is there. */
export async function startListening(bridge: Pick<TestBridge, "url">, topic: string, ...args: string[]) {
  const child = spawnCli(["listen", "--topic", topic, ...args], { env: cliEnv(bridge) });
  const remarks = createInterface({ input: child.stderr })[Symbol.asyncIterator]();
  const { value } = await remarks.next();
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    webhookId: /wh_[\w-]+/.exec(value as string)![0],
    next: async () => (await lines.next()).value as string,
    end: async () => {
      child.kill("SIGINT");
      await once(child, "close");
    },
  };
}
