/** Helpers shared by the MQTT tests. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { MqttClient } from "mqtt";
import type { OutgoingMessage } from "../../src/downlink/publish.ts";
import { Connection, type ConnectionOptions, type Log } from "../../src/mqtt/client/connection.ts";
import { scaled } from "../support/speed.ts";

/** Log that keeps its lines. */
export function memoryLog(): Log & { lines: { level: string; message: string; fields: object }[] } {
  const lines: { level: string; message: string; fields: object }[] = [];
  const writer = (level: string) => (fields: object, message: string) => void lines.push({ level, message, fields });
  return { lines, info: writer("info"), warn: writer("warn"), error: writer("error") };
}

export type ConnectionSettings = Partial<Omit<ConnectionOptions, "broker">> & {
  broker: Partial<ConnectionOptions["broker"]> & { url: string };
};

/** Opens a connection that is closed at the end of the test. */
export function openConnection(t: TestContext, options: ConnectionSettings): Connection {
  const broker = { protocol: "auto" as const, ...options.broker };
  const base = { name: "test", clientId: uniqueId(), persistent: false, log: memoryLog() };
  const connection = new Connection({ ...base, ...options, broker });
  t.after(() => connection.close());
  return connection;
}

let ids = 0;

export function uniqueId(): string {
  return `test-${process.pid}-${++ids}`;
}

export function connected(connection: Connection, ms = 10_000): Promise<void> {
  return connection.untilConnected(AbortSignal.timeout(ms));
}

/** Resolves at the next event of the client. Unlike `once` of node:events, it does not reject at expected errors. */
export function next(of: { client: MqttClient } | MqttClient, event: "close" | "connect", ms = 15_000): Promise<void> {
  const client = "client" in of ? of.client : of;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event} within ${scaled(ms)} ms`)), scaled(ms));
    client.once(event, () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Builds a message with defaults for all fields that are not given. */
export function message(
  fields: Partial<Omit<OutgoingMessage, "payload">> & { payload?: string | Buffer },
): OutgoingMessage {
  const { payload = "x", ...rest } = fields;
  return { id: "msg_1", topic: "t", qos: 1, retain: false, ...rest, payload: Buffer.from(payload) };
}

/** Writes a temporary file that is removed when the process exits, and returns its path. */
export function temporaryFile(name: string, text: string): string {
  const dir = mkdtempSync(join(tmpdir(), "causeway-test-"));
  process.on("exit", () => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, name), text, { mode: 0o644 });
  return join(dir, name);
}
