/** Brokers and clients that end with their test. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import { scaled } from "../../support/speed.ts";
import { type StartOptions, startBroker } from "./start-broker.ts";

export async function dataDirectory(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "causeway-broker-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

export async function start(t: TestContext, options: Partial<StartOptions> = {}) {
  const dataDir = options.dataDir ?? (await dataDirectory(t));
  const broker = await startBroker({ ...options, dataDir });
  t.after(() => broker.close());
  return broker;
}

export async function client(t: TestContext, url: string, options: IClientOptions = {}): Promise<MqttClient> {
  const mqtt = await connectAsync(url, { reconnectPeriod: 0, ...options });
  mqtt.on("error", () => {});
  t.after(() => mqtt.endAsync(true));
  return mqtt;
}

/** Collects the payloads a client receives, up to and including `last`. */
export async function payloadsUntil(mqtt: MqttClient, last: string): Promise<string[]> {
  const payloads: string[] = [];
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`there came only ${payloads}`)), scaled(20_000));
    mqtt.on("message", (_topic, payload) => {
      payloads.push(payload.toString());
      if (payloads.at(-1) !== last) return;
      clearTimeout(timer);
      resolve(payloads);
    });
  });
}
