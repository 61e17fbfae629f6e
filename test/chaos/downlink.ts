/** Messages to a device: stored publishes over HTTP, and a device with a persistent subscription. */
import { setTimeout as delay } from "node:timers/promises";
import { connect, type MqttClient } from "mqtt";
import type { TestBridge } from "../support/bridge.ts";
import type { Ledger, Ledgers } from "./ledger.ts";

/** Connects a device with a persistent session on `chaos/down/#`. Resolves when it is subscribed. */
export async function startDevice(url: string, ledgers: Ledgers): Promise<MqttClient> {
  const client = connect(url, {
    clientId: "chaos-device",
    clean: false,
    reconnectPeriod: 100,
    // It subscribes again only if a SIGKILL made the broker forget the session.
    protocolVersion: 4,
  });
  client.on("error", () => {}); // it reconnects
  client.on("message", (_topic, payload) => ledgers.arrived(payload.toString(), { at: Date.now() }));
  await client.subscribeAsync("chaos/down/#", { qos: 2 });
  return client;
}

export interface Sender {
  /** Resolves when all messages have been accepted. */
  done: Promise<void>;
  /** Abandons messages that have not been accepted. */
  close(): Promise<void>;
}

const TIMEOUT_MS = 10_000;
const AGAIN_MS = 250;
/** Maximum number of concurrent requests. */
const WINDOW = 10;

/** Calls the instances in turn until one has accepted the message, always with the same Idempotency-Key. */
export function startSender(
  bridges: readonly TestBridge[],
  ledger: Ledger,
  { count, perSecond }: { count: number; perSecond: number },
): Sender {
  const underWay = new Set<Promise<void>>();
  const closing = new AbortController();

  async function send(number: number): Promise<void> {
    const { qos } = ledger;
    const body = JSON.stringify({ topic: `chaos/down/${qos}/${number % 5}`, payload: ledger.payload(number), qos });
    const key = { "idempotency-key": ledger.payload(number), prefer: "respond-async" };
    ledger.sent++;
    for (let attempt = 0; !closing.signal.aborted; attempt++) {
      if (attempt > 0) await delay(AGAIN_MS);
      if (attempt === 1) ledger.sentAgain.add(number);
      const status = await post(bridges[(number + attempt) % bridges.length]!, body, key);
      if (status === 202) return void ledger.acknowledged.add(number);
      // 409: an instance that was killed holds the key. Retry on 409, 429 and 5xx.
      if (status !== undefined && status < 500 && status !== 409 && status !== 429) {
        throw new Error(`POST /v1/messages answered ${status}`);
      }
    }
  }

  async function run(): Promise<void> {
    const start = Date.now();
    for (let number = 0; number < count && !closing.signal.aborted; number++) {
      if (underWay.size >= WINDOW) await Promise.race(underWay);
      const ahead = start + (number * 1_000) / perSecond - Date.now();
      if (ahead > 0) await delay(ahead, undefined, { signal: closing.signal }).catch(() => undefined);
      const sent = send(number).finally(() => underWay.delete(sent));
      sent.catch(() => {}); // reported by the race or at the end
      underWay.add(sent);
    }
    await Promise.all(underWay);
  }

  const done = run();
  done.catch(() => {}); // reported to callers that await it
  return {
    done,
    close: async () => {
      closing.abort();
      await Promise.allSettled([done]);
    },
  };
}

/** Returns the status, or undefined without a response. */
async function post(bridge: TestBridge, body: string, headers: Record<string, string>): Promise<number | undefined> {
  const type = { ...headers, "content-type": "application/json" };
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), TIMEOUT_MS);
  const aborted = new Promise<undefined>((resolve) => {
    late.signal.addEventListener("abort", () => resolve(undefined));
  });
  try {
    return await Promise.race([bridge.api("POST", "/v1/messages", body, type).then(({ status }) => status), aborted]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
