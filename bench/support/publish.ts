/** Simulated devices that publish. */
import { connectAsync, type MqttClient } from "mqtt";

/** Size of every payload. */
export const PAYLOAD_BYTES = 200;

/** Maximum number of unacknowledged publishes of a `flood`. */
const WINDOW = 1_000;

export interface Device {
  /** Publishes `count` QoS 1 messages as fast as the broker accepts them; resolves when all are acknowledged. */
  flood(topic: string, count: number): Promise<void>;
  /** Publishes `perSecond` QoS 1 messages for `seconds`, evenly spaced, each with its send time. */
  tick(topic: string, rate: { perSecond: number; seconds: number }): Promise<number>;
  /** Publishes one QoS 1 message with its send time. */
  publish(topic: string): void;
  close(): Promise<void>;
}

/** @param protocolVersion 4 for MQTT 3.1.1, which is all that the embedded broker speaks */
export async function connectDevice(url: string, protocolVersion: 4 | 5 = 5): Promise<Device> {
  const client = await connectAsync(url, { protocolVersion, reconnectPeriod: 0 });
  // A scenario that is cut short stops its broker; without a listener the error would end the run.
  client.on("error", () => {});
  return {
    flood: (topic, count) => flood(client, topic, count),
    tick: (topic, rate) => tick(client, topic, rate),
    publish: (topic) => void client.publish(topic, timed(), { qos: 1 }),
    close: () => client.endAsync(true),
  };
}

function flood(client: MqttClient, topic: string, count: number): Promise<void> {
  const payload = payloadOf({ temperature: 21.5 });
  let [sent, acknowledged] = [0, 0];
  return new Promise((resolve, reject) => {
    const next = () => {
      while (sent < count && sent - acknowledged < WINDOW) {
        sent++;
        client.publish(topic, payload, { qos: 1 }, (error) => {
          if (error) return reject(error);
          if (++acknowledged === count) resolve();
          else if (sent - acknowledged <= WINDOW / 2) next();
        });
      }
    };
    next();
  });
}

/** Sends all messages that are due at each tick, because timers are late by a millisecond or more. */
function tick(client: MqttClient, topic: string, rate: { perSecond: number; seconds: number }): Promise<number> {
  const total = rate.perSecond * rate.seconds;
  const startedAt = performance.now();
  let sent = 0;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1_000) * rate.perSecond));
      for (; sent < due; sent++) client.publish(topic, timed(), { qos: 1 });
      if (sent < total) return;
      clearInterval(timer);
      resolve(total);
    }, 1);
  });
}

function timed(): string {
  return payloadOf({ sentAt: performance.timeOrigin + performance.now() });
}

/** A JSON object of exactly PAYLOAD_BYTES. */
export function payloadOf(fields: object): string {
  const bare = JSON.stringify({ ...fields, pad: "" }).length;
  return JSON.stringify({ ...fields, pad: "x".repeat(PAYLOAD_BYTES - bare) });
}
