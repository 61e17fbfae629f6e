/**
 * The desk of a company's support, which answers customers on Facebook Messenger. Meta's events and messages travel
 * over HTTP: a hook publishes the former, a webhook posts the latter to the Send API.
 */
import type { Sector, SimulatedClient, SimulatedCommand, SimulatedMessage } from "../model.ts";
import { type JsonObject, objectOf } from "../payload.ts";

const AGENTS = ["ada", "ben", "cleo"];
/** Meta repeats an event whose delivery it could not confirm. */
const REMEMBERED = 1_000;
/** The limit of the Send API. */
const MAX_TEXT = 2_000;

export const messenger: Sector = {
  name: "messenger",
  summary: "a support desk that answers customers on Facebook Messenger",
  description: "Simulates the agents of a support desk, who answer messages that customers write to a Facebook page.",
  unit: "agents",
  devices: 1,
  topicPrefix: "messenger",
  publishes: [
    ["messenger/CUSTOMER/outgoing", "an answer as the Send API takes it: recipient, messaging_type, message"],
    ["messenger/agents/ada/status", "online or offline with the number of conversations, retained; the last will"],
  ],
  obeys: [
    ["messenger/CUSTOMER/incoming", "one messaging event of Meta: sender, recipient, timestamp, message or postback"],
    ["messenger/events", "the whole body of Meta's webhook call, with its entries"],
  ],
  examples: [
    `causeway publish messenger/events '{"object":"page","entry":[{"messaging":[{"sender":{"id":"4711"},"message":{"mid":"m1","text":"hello"}}]}]}'`,
  ],
  create: ({ devices, topicPrefix }) =>
    Array.from({ length: devices }, (_, index) => new MessengerAgent({ prefix: topicPrefix, index, agents: devices })),
};

interface AgentOptions {
  prefix: string;
  index: number;
  agents: number;
}

class MessengerAgent implements SimulatedClient {
  readonly name: string;
  readonly filters: readonly string[];
  readonly #options: AgentOptions;
  readonly #seen = new Set<string>();
  readonly #customers = new Map<string, number>();

  constructor(options: AgentOptions) {
    const { prefix, index } = options;
    this.#options = options;
    const round = Math.floor(index / AGENTS.length);
    this.name = `${AGENTS[index % AGENTS.length]}${round === 0 ? "" : round + 1}`;
    this.filters = [`${prefix}/+/incoming`, `${prefix}/events`];
  }

  will(): SimulatedMessage {
    return this.#status("offline");
  }

  connected(): SimulatedMessage[] {
    return [this.#status("online")];
  }

  tick(): SimulatedMessage[] {
    return [this.#status("online")];
  }

  command({ payload }: SimulatedCommand): SimulatedMessage[] {
    return eventsOf(payload).flatMap((event) => this.#answer(event));
  }

  disconnecting(): SimulatedMessage[] {
    return [this.#status("offline")];
  }

  #answer({ sender, message, postback }: JsonObject): SimulatedMessage[] {
    const customer = (sender as JsonObject | undefined)?.id;
    const { mid, text, is_echo: isEcho } = (message ?? postback ?? {}) as JsonObject;
    // Receipts have neither; an echo is an answer of our own.
    if (typeof customer !== "string" || !/^\d{1,50}$/.test(customer) || isEcho === true) return [];
    if (message === undefined && postback === undefined) return [];
    // Every agent hears every event; a customer always talks to the same one.
    if (Number(customer.slice(-6)) % this.#options.agents !== this.#options.index) return [];
    if (typeof mid === "string" && !this.#isNew(mid)) return [];
    const earlier = this.#customers.get(customer) ?? 0;
    this.#customers.set(customer, earlier + 1);
    if (this.#customers.size > REMEMBERED) this.#customers.delete(this.#customers.keys().next().value!);
    const body = {
      recipient: { id: customer },
      messaging_type: "RESPONSE",
      message: { text: this.#textFor(text, earlier).slice(0, MAX_TEXT) },
    };
    return [{ topic: `${this.#options.prefix}/${customer}/outgoing`, payload: JSON.stringify(body) }];
  }

  #textFor(text: unknown, earlier: number): string {
    const greeting = earlier === 0 ? `Hello, this is ${this.name}. ` : "";
    if (typeof text !== "string" || text === "") return `${greeting}How can I help you?`;
    if (/\b(thanks|thank you|bye)\b/i.test(text)) return `${greeting}You are welcome!`;
    return `${greeting}You wrote: ${text}`;
  }

  #isNew(mid: string): boolean {
    if (this.#seen.has(mid)) return false;
    this.#seen.add(mid);
    if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.values().next().value!);
    return true;
  }

  #status(state: "online" | "offline"): SimulatedMessage {
    const status = { state, conversations: this.#customers.size };
    const topic = `${this.#options.prefix}/agents/${this.name}/status`;
    return { topic, payload: JSON.stringify(status), retain: true };
  }
}

/** The messaging events of a payload: one event, or the body of a webhook call. */
function eventsOf(payload: Buffer): JsonObject[] {
  const body = objectOf(payload);
  if (body === undefined) return [];
  if (!Array.isArray(body.entry)) return [body];
  return body.entry.flatMap((entry: JsonObject | null) => entry?.messaging ?? []).filter(isObject);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null;
}
