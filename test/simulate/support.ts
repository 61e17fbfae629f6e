/** Simulated clients without a broker. */
import assert from "node:assert/strict";
import type { Sector, SimulatedClient, SimulatedMessage } from "../../src/simulate/model.ts";
import { Random } from "../../src/simulate/random.ts";
import { matches } from "../../src/topic.ts";

export const NOW = new Date("2026-03-01T12:00:00Z");

export async function clientsOf(sector: Sector, options: { devices?: number; seed?: string } = {}) {
  const { devices = sector.devices, seed = "test" } = options;
  return sector.create({ devices, topicPrefix: sector.topicPrefix ?? "", random: new Random(seed) });
}

/** Sends a command, as the broker would: only on a topic to which the client has subscribed. */
export function send(client: SimulatedClient, topic: string, payload: unknown): SimulatedMessage[] {
  assert.ok(
    client.filters.some((filter) => matches(filter, topic)),
    `${client.name} has not subscribed to ${topic}`,
  );
  const bytes = Buffer.isBuffer(payload)
    ? payload
    : Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload));
  return client.command({ topic, payload: bytes }, NOW);
}

/** The message on the topic, which must be there exactly once. */
export function on(messages: readonly SimulatedMessage[], topic: string): SimulatedMessage {
  const found = messages.filter((message) => message.topic === topic);
  assert.equal(found.length, 1, `${topic} in ${messages.map((message) => message.topic).join(", ")}`);
  return found[0]!;
}

// biome-ignore lint/suspicious/noExplicitAny: tests inspect payloads of many shapes
export function jsonOn(messages: readonly SimulatedMessage[], topic: string): any {
  return JSON.parse(on(messages, topic).payload.toString());
}
