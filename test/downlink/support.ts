/** The real app over the real downlink, with a broker that is a function. */
import type { FastifyInstance } from "fastify";
import { createExplain } from "../../src/api/explain.ts";
import { createHandlers, type HandlerPorts } from "../../src/api/handlers.ts";
import type { OutgoingMessage, PublishResult } from "../../src/downlink/publish.ts";
import type { RetainedMessage } from "../../src/downlink/retained.ts";
import { buildApp } from "../../src/http/app.ts";
import { bearerCheck } from "../../src/http/auth.ts";
import { matches } from "../../src/topic.ts";
import { MemoryExpiringKeys } from "../http/support.ts";

export const AUTH = { authorization: "Bearer test-key" };
export const MAX_PAYLOAD_BYTES = 20_000;

export interface Downlink {
  app: FastifyInstance;
  /** Published messages. */
  published: OutgoingMessage[];
  /** Result of every publish. */
  outcome: PublishResult;
  /** Takes precedence over `outcome`. */
  onPublish?: ((message: OutgoingMessage) => Promise<PublishResult>) | undefined;
  /** Retained messages by topic; an Error is thrown. */
  held: Map<string, Omit<RetainedMessage, "topic"> | Error>;
  /** Whether the retained messages are incomplete. */
  truncated: boolean;
}

/** @param more additional ports, or replacements of the default ones */
export async function startDownlink(more: Partial<HandlerPorts> = {}): Promise<Downlink> {
  const downlink: Omit<Downlink, "app"> = {
    published: [],
    outcome: { kind: "sent" },
    held: new Map(),
    truncated: false,
  };
  const ports: Pick<
    HandlerPorts,
    | "isValid"
    | "registrations"
    | "publish"
    | "outbox"
    | "readRetained"
    | "findRetained"
    | "readSeveral"
    | "maxPayloadBytes"
  > = {
    maxPayloadBytes: MAX_PAYLOAD_BYTES,
    isValid: () => true,
    registrations: () => [],
    publish: async (message) => {
      downlink.published.push(message);
      return downlink.onPublish?.(message) ?? downlink.outcome;
    },
    readRetained: async (topic) => {
      const message = downlink.held.get(topic);
      if (message instanceof Error) throw message;
      return message && { topic, ...message };
    },
    outbox: { accept: noOutbox, get: noOutbox, cancel: noOutbox },
    findRetained: async (filter) => {
      const topics = [...downlink.held.keys()].filter((topic) => matches(filter, topic));
      return { topics, truncated: downlink.truncated };
    },
    async *readSeveral(topics) {
      for (const topic of topics) {
        const message = await ports.readRetained(topic);
        if (message) yield message;
      }
    },
  };
  // No webhook has received a message.
  const uplink = { webhooks: { visible: () => [] }, deliveries: { ofMessage: async () => "not_found" } };
  const explain = createExplain(() => false);
  const app = await buildApp({
    handlers: createHandlers({ ...ports, ...uplink, explain, ...more } as unknown as HandlerPorts),
    authenticate: bearerCheck("test-key"),
    maxPayloadBytes: MAX_PAYLOAD_BYTES,
    expiringKeys: new MemoryExpiringKeys(),
    explain,
  });
  return Object.assign(downlink, { app });
}

const noOutbox = () => Promise.reject(new Error("there is no outbox in this test"));
