/** The bridge inside the test process, for values without a setting, such as short intervals of the breaker. */
import { pino } from "pino";
import { type Bridge, startBridge } from "../../src/bridge.ts";
import { loadConfig } from "../../src/config/config.ts";
import { BREAKER, type BreakerPolicy } from "../../src/uplink/health/circuit-breaker.ts";
import { temporaryDirectory } from "./directories.ts";
import { freePort } from "./ports.ts";

const API_KEY = "test-key-0123456789abcdef";

export interface InProcess {
  bridge: Bridge;
  /** Parsed log lines of level `info` and above. */
  log: Record<string, unknown>[];
  // biome-ignore lint/suspicious/noExplicitAny: tests inspect responses of many shapes
  api(method: string, path: string, body?: unknown, key?: string): Promise<{ status: number; body: any; text: string }>;
  /** Registers a webhook. */
  register(webhook: Record<string, unknown>): Promise<{ id: string; secret: string }>;
}

export async function startInProcess(
  env: Record<string, string> = {},
  breaker: Partial<BreakerPolicy> = {},
): Promise<InProcess> {
  const config = loadConfig(
    {
      PORT: String(await freePort()),
      BROKER_PORT: String(await freePort()),
      DATA_DIR: temporaryDirectory("test"),
      WEBHOOK_ALLOW_NETWORKS: "127.0.0.0/8",
      ...env,
    },
    { envFile: false },
  );
  const log: Record<string, unknown>[] = [];
  const write = (line: string) => void log.push(JSON.parse(line) as Record<string, unknown>);
  const logger = pino({ level: "info" }, { write });
  const wide = (members: string, msg: string) => write(`{${members},"msg":"${msg}"}`);
  const bridge = await startBridge(config, API_KEY, { logger, wide }, undefined, { ...BREAKER, ...breaker });

  const api: InProcess["api"] = async (method, path, body, key = API_KEY) => {
    const response = await fetch(bridge.address + path, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { "content-type": "application/json" }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get("content-type") ?? "");
    return { status: response.status, body: isJson ? JSON.parse(text) : undefined, text };
  };
  return {
    bridge,
    log,
    api,
    async register(webhook) {
      const { status, body, text } = await api("POST", "/v1/webhooks", webhook);
      if (status !== 201) throw new Error(`registering answered ${status}: ${text}`);
      return body;
    },
  };
}
