/** Numbered messages, published with QoS 1 or 2 through any outage. */
import { setTimeout as delay } from "node:timers/promises";
import { connect, type MqttClient } from "mqtt";
import type { ReceivedCall, Receiver } from "./receiver.ts";

export interface Load {
  /** Number of acknowledged messages so far. */
  readonly acknowledged: number;
  /** Resolves when every message is acknowledged. */
  readonly done: Promise<void>;
  /** Publishes no further messages, waits for all acknowledgements, and resolves with the number of messages. */
  finish(): Promise<number>;
  close(): Promise<void>;
}

/**
 * Publishes `count` messages at about `perSecond`, at most `window` of them unacknowledged.
 * @param options.bytes length of each payload, padded with spaces
 */
export function publishLoad(
  url: string,
  {
    count,
    perSecond,
    qos = 1,
    topic = "load",
    // Mosquitto drops messages beyond its max_inflight_messages.
    window = qos === 2 ? 20 : 200,
    bytes = 0,
  }: { count: number; perSecond: number; qos?: 1 | 2; topic?: string; window?: number; bytes?: number },
): Load {
  // A persistent session, so that messages in flight are sent again after a reconnect.
  const client: MqttClient = connect(url, {
    clientId: `load-${process.pid}-${Math.random().toString(36).slice(2, 8)}`,
    clean: false,
    reconnectPeriod: 100,
    protocolVersion: 4,
  });
  client.on("error", () => {}); // it reconnects
  let acknowledged = 0;
  let closed = false;
  let finishing = false;
  let begun = 0;

  async function run(): Promise<void> {
    const start = Date.now();
    const underWay = new Set<Promise<unknown>>();
    for (let i = 0; i < count && !finishing; i++) {
      while (underWay.size >= window || !client.connected) {
        if (closed) throw new Error("the load was closed before its end");
        await (client.connected ? Promise.race(underWay) : delay(20));
      }
      const ahead = i / perSecond - (Date.now() - start) / 1_000;
      if (ahead > 0.01) await delay(ahead * 1_000);
      begun++;
      const sent = publish(i).then(() => {
        acknowledged++;
        underWay.delete(sent);
      });
      sent.catch(() => {}); // awaited below, or abandoned when the load is closed
      underWay.add(sent);
    }
    await Promise.all(underWay);
  }

  /** Retries, because MQTT.js rejects new messages while it resends those in flight. */
  async function publish(i: number): Promise<void> {
    for (;;) {
      try {
        await client.publishAsync(`${topic}/${i % 10}`, String(i).padEnd(bytes), { qos });
        return;
      } catch (error) {
        if (closed) throw error;
        await delay(20);
      }
    }
  }

  const done = run();
  done.catch(() => {}); // reported to callers that await it
  return {
    get acknowledged() {
      return acknowledged;
    },
    done,
    finish: async () => {
      finishing = true;
      await done;
      return begun;
    },
    close: () => {
      closed = true;
      return client.endAsync(true);
    },
  };
}

/** Resolves when the receiver has accepted each of the messages 0 to count - 1. @param path Default: all calls. */
export function untilDelivered(receiver: Receiver, count: number, timeoutMs: number, path?: string): Promise<void> {
  const seen = new Set<number>();
  let looked = 0;
  return receiver.until((calls) => {
    for (; looked < calls.length; looked++) {
      const call = calls[looked]!;
      if (path === undefined || call.path === path) seen.add(numberOf(call));
    }
    return seen.size >= count;
  }, timeoutMs);
}

function numberOf({ body }: ReceivedCall): number {
  return Number(JSON.parse(body.toString()).data);
}

export interface Tally {
  distinct: number;
  missing: number[];
  /** Deliveries beyond the first: repeated with the same `webhook-id`, or one message under several ids. */
  sameId: number;
  otherId: number;
}

/** Counts the arrivals of the messages 0 to count - 1. */
export function tally(calls: ReceivedCall[], count: number): Tally {
  const ids = new Map<number, Set<string>>();
  let sameId = 0;
  for (const call of calls) {
    const number = numberOf(call);
    const seen = ids.get(number) ?? new Set();
    const id = String(call.headers["webhook-id"]);
    if (seen.has(id)) sameId++;
    ids.set(number, seen.add(id));
  }
  const missing = Array.from({ length: count }, (_, i) => i).filter((i) => !ids.has(i));
  const otherId = [...ids.values()].reduce((sum, seen) => sum + seen.size - 1, 0);
  return { distinct: ids.size, missing, sameId, otherId };
}
