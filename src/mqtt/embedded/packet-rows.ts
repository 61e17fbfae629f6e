/** Packets of Aedes as rows of the embedded broker's tables, and back. */
import type { OutgoingRow, StoredPacket, WillRow } from "./sqlite-procedures.ts";

export interface PersistedMessage {
  cmd?: string;
  topic: string;
  payload: Buffer | string;
  qos: 0 | 1 | 2;
  retain?: boolean;
  dup?: boolean;
  messageId?: number;
  brokerId?: string;
  brokerCounter?: number;
}

/** The fields that a message keeps while it waits; MQTT 3.1.1 has no properties. */
export function publish({ topic, payload, qos, retain = false, dup = false }: PersistedMessage): PersistedMessage {
  return { cmd: "publish", topic, payload, qos, retain, dup };
}

export function encode({ payload, ...fields }: PersistedMessage): StoredPacket {
  return [JSON.stringify(fields), payload];
}

export function decode([fields, payload]: StoredPacket): Record<string, unknown> {
  // Bytes cross the thread boundary as a plain Uint8Array.
  const bytes = typeof payload === "string" ? payload : Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  return { ...(JSON.parse(fields) as object), payload: bytes };
}

export function outgoingRow(message: PersistedMessage): OutgoingRow {
  const { brokerId = "", brokerCounter = 0, messageId = null } = message;
  return [brokerId, brokerCounter, messageId, 0, ...encode(publish(message))];
}

/** A released message has become its PUBREL. */
export function decodeOutgoing(
  [brokerId, brokerCounter, id, released, ...packet]: OutgoingRow,
  asPubrel = true,
): object {
  const messageId = id ?? undefined;
  if (released && asPubrel) return { cmd: "pubrel", messageId };
  return { ...decode(packet), brokerId, brokerCounter, messageId };
}

export function decodeWill(row: WillRow | undefined): object | undefined {
  return row && decode([row[2], row[3]]);
}
