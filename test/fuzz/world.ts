/** A bridge with broker, store, device and receiver, and checks that all of them still work together. */
import { residentMegabytes } from "../support/attack.ts";
import { startTestBridge, type TestBridge } from "../support/bridge.ts";
import { connectTo } from "../support/device.ts";
import { startMosquitto } from "../support/mosquitto.ts";
import { type ReceivedCall, startReceiver } from "../support/receiver.ts";
import { startRedis } from "../support/redis.ts";

export const STORES = ["embedded", "redis"] as const;
export const BROKERS = ["embedded", "mosquitto"] as const;

export interface WorldOptions {
  store: (typeof STORES)[number];
  broker: (typeof BROKERS)[number];
}

export interface World {
  bridge: TestBridge;
  apiKey: string;
  receiver: string;
  /** Returns the faults of the system; empty if all is well. */
  ailments(): Promise<string[]>;
  residentMegabytes(): number;
  /** Returns the log lines since the last call that indicate a defect. */
  newErrors(): string[];
  close(): Promise<void>;
}

const API_KEY = "test-key-0123456789abcdef";
/** A message takes milliseconds; the rest is for waiting deliveries of the fuzzer and a busy machine. */
const WITHIN_MS = 10_000;
const ANSWERS: Record<string, { status: number; headers?: Record<string, string>; body?: string }> = {
  "/500": { status: 500, body: "no" },
  "/410": { status: 410 },
  "/429": { status: 429, headers: { "retry-after": "1" } },
  "/redirect": { status: 302, headers: { location: "/ok" } },
  "/long": { status: 200, body: "x".repeat(300_000) },
  "/reply": { status: 200, body: '{"reply":true}' },
  "/token": {
    status: 200,
    headers: { "content-type": "application/json" },
    body: '{"access_token":"t","expires_in":60}',
  },
};

export async function startWorld({ store, broker }: WorldOptions): Promise<World> {
  const mosquitto = broker === "mosquitto" ? await startMosquitto() : undefined;
  const redis = store === "redis" ? await startRedis() : undefined;
  const bridge = await startTestBridge({ API_KEY, MQTT_URL: mosquitto?.url, STORE_URL: redis?.url });
  const receiver = await startReceiver();
  receiver.answer = ({ method, path }) => {
    if (method === "OPTIONS") return { status: 200, headers: { "WebHook-Allowed-Origin": "*" } };
    return ANSWERS[path] ?? 204;
  };
  const device = await connectTo(mosquitto?.url ?? `mqtt://127.0.0.1:${bridge.brokerPort}`, mosquitto ? 5 : 4);
  device.on("error", () => {}); // it reconnects
  device.on("message", (topic, payload, { properties }) => {
    const own = properties?.responseTopic ?? "";
    const answers = [
      `fuzz/answers/${topic.split("/")[2]}`,
      "fuzz/answers/any",
      ...(/^[^+#\0]+$/.test(own) ? [own] : []),
    ];
    const { correlationData } = properties ?? {};
    const options = mosquitto && correlationData ? { properties: { correlationData } } : {};
    for (const answer of answers) device.publish(answer, payload.subarray(0, 1_000), options);
  });
  await device.subscribeAsync("fuzz/device/+", { qos: 1 });
  await bridge.register({ url: `${receiver.url}/probe`, topics: ["probe/#"], name: "probe" });

  let probes = 0;
  let read = 0;

  async function ailments(): Promise<string[]> {
    if (!bridge.running) return ["the bridge has ended"];
    const unready = await bridge.readiness(200, WITHIN_MS).then(
      () => undefined,
      (error: Error) => error.message,
    );
    if (unready) return [unready];
    const topic = `probe/${++probes}`;
    const found = await Promise.all([throughWebhook(topic), throughStream(topic), throughRequest()]);
    receiver.calls.length = 0;
    receiver.attempts.length = 0;
    return found.flatMap((one) => one ?? []);
  }

  async function throughWebhook(topic: string): Promise<string | undefined> {
    await device.publishAsync(topic, "probe", { qos: 1 });
    const isProbe = ({ path, body }: ReceivedCall) =>
      path === "/probe" && JSON.parse(body.toString()).subject === topic;
    const came = receiver.until((calls) => calls.some(isProbe), WITHIN_MS);
    return came.then(
      () => undefined,
      () => `a message does not reach its webhook within ${WITHIN_MS} ms`,
    );
  }

  async function throughStream(topic: string): Promise<string | undefined> {
    const stop = AbortSignal.timeout(WITHIN_MS);
    const filter = `${topic}/stream`;
    try {
      const response = await fetch(`${bridge.url}/v1/stream?topic=${encodeURIComponent(filter)}`, {
        headers: { authorization: `Bearer ${API_KEY}` },
        signal: stop,
      });
      if (response.status !== 200) return `a stream is answered ${response.status} ${await response.text()}`;
      await bridge.api("POST", "/v1/messages", { topic: filter, payload: "probe" });
      for await (const chunk of response.body!) if (Buffer.from(chunk).includes("data: ")) return undefined;
      return "a stream ended";
    } catch (error) {
      return `a message does not reach its stream within ${WITHIN_MS} ms: ${(error as Error).message}`;
    }
  }

  async function throughRequest(): Promise<string | undefined> {
    const [topic, responseTopic] = ["fuzz/device/{requestId}", "fuzz/answers/{requestId}"];
    const { status, bytes } = await bridge.api("POST", "/v1/requests", { topic, responseTopic, payload: "probe" });
    return status === 200 ? undefined : `a request to a device is answered ${status} ${bytes}`;
  }

  return {
    bridge,
    apiKey: API_KEY,
    receiver: receiver.url,
    ailments,
    residentMegabytes: () => residentMegabytes(bridge.pid),
    newErrors() {
      const text = bridge.output.slice(read);
      const end = text.lastIndexOf("\n") + 1;
      read += end;
      return text.slice(0, end).split("\n").filter(isDefect);
    },
    async close() {
      await device.endAsync(true);
      if (bridge.running) await bridge.stop();
      await receiver.close();
      await mosquitto?.stop();
      await redis?.stop();
    },
  };
}

const LEVEL_ERROR = 50;

/** Whether a line has level `error` or above, or is not a log line, such as a Node warning or a stack trace. */
function isDefect(line: string): boolean {
  if (line.trim() === "" || /Causeway|^\s{2}|^(?:Try|Docs|API key)/.test(line)) return false;
  try {
    return JSON.parse(line).level >= LEVEL_ERROR;
  } catch {
    return true;
  }
}
