/** MQTT discovery of Home Assistant: one retained configuration for each entity. */
import type { SimulatedMessage } from "../model.ts";

/** Home Assistant publishes `online` here after its start, and devices announce themselves again. */
export const BIRTH_TOPIC = "homeassistant/status";

export interface Entity {
  component: "light" | "switch" | "sensor";
  /** Unique among all devices. */
  node: string;
  object: string;
  config: Record<string, unknown>;
}

export function discovery({ component, node, object, config }: Entity): SimulatedMessage {
  const topic = `homeassistant/${component}/${node}/${object}/config`;
  return { topic, payload: JSON.stringify({ unique_id: `${node}_${object}`, ...config }), retain: true };
}

/** Whether the message is the birth of Home Assistant. */
export function isBirth(topic: string, payload: Buffer): boolean {
  return topic === BIRTH_TOPIC && payload.toString() === "online";
}
