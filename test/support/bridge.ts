/** The bridge as a real process, with API calls for tests. */
import { optimizeHttpParserLate } from "../../src/lib/v8-flags.ts";
import { temporaryDirectory } from "./directories.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";
import { type Exit, startProcess, type TestProcess } from "./processes.ts";
import { MAIN } from "./program.ts";

export const API_KEY = "test-key-0123456789abcdef";

// Node loads its modules of `fetch` faster before a change of flags.
void new Headers();
optimizeHttpParserLate();

export interface Answer {
  status: number;
  headers: Headers;
  /** The parsed JSON, or undefined if the response was not JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests inspect responses of many shapes
  body: any;
  bytes: Buffer;
}

export interface TestBridge {
  readonly url: string;
  readonly brokerPort: number;
  readonly dataDir: string;
  readonly output: string;
  readonly pid: number;
  api(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Resolves with the first match in the output of this run, past or future. */
  waitForOutput(pattern: RegExp): Promise<RegExpExecArray>;
  /** Registers a webhook and waits until its filters are subscribed. */
  register(webhook: Record<string, unknown>): Promise<{ id: string; secret: string }>;
  /** Resolves when `/readyz` returns this status. */
  readiness(status: 200 | 503, timeoutMs?: number): Promise<Answer>;
  stop(): Promise<Exit>;
  kill(): Promise<Exit>;
  /** Starts the bridge again on the same ports and data, after it ended. */
  start(): Promise<void>;
  /** Resolves when this run has ended. */
  readonly ended: Promise<Exit>;
  /** False once the process has ended, for whatever reason. */
  readonly running: boolean;
}

/** Resolves once the bridge is up. */
export async function startTestBridge(env: Record<string, string | undefined> = {}): Promise<TestBridge> {
  const dataDir = env.DATA_DIR ?? temporaryDirectory("test");
  const [port, brokerPort] = [await freePort(), await freePort()];
  const settings = {
    PORT: String(port),
    BROKER_PORT: String(brokerPort),
    DATA_DIR: dataDir,
    API_KEY,
    LOG_LEVEL: "warn",
    WEBHOOK_ALLOW_NETWORKS: "127.0.0.0/8",
    ...env,
  };
  const url = `http://127.0.0.1:${port}`;
  let child: TestProcess;
  let output = "";
  let ended = true;

  async function start(): Promise<void> {
    // The working directory is the data directory, which has no developer's .env file.
    child = startProcess(process.execPath, [...MAIN], {
      env: settings,
      cwd: dataDir,
    });
    ended = false;
    void child.exited.then(() => {
      ended = true;
      output += child.output;
    });
    await child.waitFor(/Causeway is up/, { timeoutMs: 30_000 });
  }

  async function api(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const raw = body === undefined || typeof body === "string" || body instanceof Uint8Array;
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${API_KEY}`,
        ...(raw ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body: raw ? (body as string) : JSON.stringify(body) }),
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    const isJson = /[/+]json/.test(response.headers.get("content-type") ?? "");
    return {
      status: response.status,
      headers: response.headers,
      body: isJson && bytes.length > 0 ? JSON.parse(bytes.toString()) : undefined,
      bytes,
    };
  }

  function readiness(status: 200 | 503, timeoutMs = 30_000): Promise<Answer> {
    return eventually(
      () => api("GET", "/readyz"),
      (answer) => answer.status === status,
      timeoutMs,
    );
  }

  await start();
  return {
    url,
    brokerPort,
    dataDir,
    get output() {
      return output + (ended ? "" : child.output);
    },
    get pid() {
      return child.pid!;
    },
    get ended() {
      return child.exited;
    },
    get running() {
      return !ended;
    },
    api,
    waitForOutput: (pattern) => child.waitFor(pattern),
    async register(webhook) {
      const { status, body } = await api("POST", "/v1/webhooks", webhook);
      if (status !== 201) throw new Error(`registering answered ${status}: ${JSON.stringify(body)}`);
      await readiness(200);
      return body;
    },
    readiness,
    stop: () => child.stop("SIGTERM", 20_000),
    kill: () => child.kill(),
    start,
  };
}
