/** The bridge as in production: the built program, with its log on /dev/null. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../../test/support/ports.ts";
import { type Child, startProgram } from "./children.ts";
import { temporaryDirectory } from "./servers.ts";

/** Root directory of this checkout. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MAIN = "dist/causeway.js";
const API_KEY = "cw_bench-key-that-is-long-enough-0123456789";

export interface BridgeOptions {
  /** Root directory of the checkout whose built program runs. */
  root: string;
  /** Absent: the embedded broker. */
  mqttUrl?: string;
  /** Absent: the embedded store. */
  storeUrl?: string;
  logLevel: string;
  /** `DATA_DIR`, kept by the caller across restarts. Absent: a new temporary directory. */
  directory?: string;
  /** Directory for a CPU profile, written when the bridge exits. */
  profileTo?: string;
}

export interface Bridge {
  child: Child;
  address: string;
  /** Milliseconds from starting the process to the first 200 of `/readyz`. */
  readyMs: number;
  headers: Record<string, string>;
  /** Calls the API with a JSON body; throws unless the response is 2xx. */
  api<T>(method: string, path: string, body?: object): Promise<T>;
}

const READY_MS = 60_000;

/** Returns the absolute path of a checkout; throws unless it is built. */
export function builtCheckout(directory: string): string {
  const root = resolve(directory);
  if (!existsSync(join(root, MAIN))) throw new Error(`${root} has no ${MAIN}: build it first (npm run build)`);
  return root;
}

/** Starts a bridge and waits until it is ready. */
export async function startBridge(options: BridgeOptions): Promise<Bridge> {
  const port = await freePort();
  const directory = options.directory ?? temporaryDirectory("bridge");
  const profile = options.profileTo ? ["--cpu-prof", `--cpu-prof-dir=${options.profileTo}`] : [];
  const startedAt = performance.now();
  const main = join(options.root, MAIN);
  const child = startProgram(process.execPath, ["--max-semi-space-size=32", ...profile, main], {
    cwd: directory,
    env: {
      PORT: String(port),
      API_KEY,
      DATA_DIR: directory,
      LOG_LEVEL: options.logLevel,
      // The rounds of a scenario leave more waiting deliveries than the default keeps.
      MAX_WAITING_DELIVERIES: "1000000",
      WEBHOOK_ALLOW_NETWORKS: "127.0.0.0/8",
      ...(options.mqttUrl ? { MQTT_URL: options.mqttUrl } : { BROKER_PORT: String(await freePort()) }),
      ...(options.storeUrl && { STORE_URL: options.storeUrl }),
    },
  });
  const address = `http://127.0.0.1:${port}`;
  await untilReady(address, child);
  const readyMs = performance.now() - startedAt;
  const headers = { authorization: `Bearer ${API_KEY}`, "content-type": "application/json" };
  return {
    child,
    address,
    readyMs,
    headers,
    async api<T>(method: string, path: string, body?: object): Promise<T> {
      const response = await fetch(address + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
      return (text ? JSON.parse(text) : undefined) as T;
    },
  };
}

async function untilReady(address: string, { process, errors }: Child): Promise<void> {
  const until = performance.now() + READY_MS;
  while (performance.now() < until && process.exitCode === null) {
    const status = await fetch(`${address}/readyz`).then(
      async (response) => {
        await response.arrayBuffer();
        return response.status;
      },
      () => undefined,
    );
    if (status === 200) return;
    await delay(20);
  }
  throw new Error(`the bridge did not become ready. ${errors()}`);
}
