/** People in chat rooms, who greet, type and answer. */
import type { Sector, SimulatedClient, SimulatedCommand, SimulatedMessage } from "../model.ts";
import { objectOf } from "../payload.ts";
import type { Random } from "../random.ts";

const NAMES = ["ada", "ben", "cleo", "dan", "eva", "finn"];
const ROOM = "lobby";
const TYPING_MS = 500;
const MAX_TEXT = 1_000;
const SMALL_TALK = [
  "Good morning!",
  "Is the build green?",
  "Coffee, anyone?",
  "I am back at my desk.",
  "Looks good to me.",
];

export const chat: Sector = {
  name: "chat",
  summary: "people in a chat room, with presence and typing",
  description: "Simulates people in a chat room: presence, typing, small talk, and an answer to every message.",
  unit: "people",
  devices: 2,
  topicPrefix: "chat",
  publishes: [
    ["chat/rooms/lobby/messages", '{"id", "from", "text", "time"}, with "replyTo" in answers'],
    ["chat/rooms/lobby/typing", '{"from", "typing": true or false}'],
    ["chat/users/ada/presence", "online or offline, retained; the last will"],
  ],
  obeys: [
    [
      "chat/rooms/ROOM/messages",
      'a text, or {"id":"1","from":"max","text":"hello @ada"}; the person named answers, else one of them',
    ],
    ["chat/users/ada/messages", "a direct message; ada answers on chat/users/FROM/messages"],
  ],
  examples: [`causeway publish chat/rooms/lobby/messages '{"id":"1","from":"max","text":"ping @ada"}'`],
  create: ({ devices, topicPrefix, random }) => {
    const people = Array.from({ length: devices }, (_, i) => nameOf(i));
    return people.map((name, i) => new ChatMember({ prefix: topicPrefix, name, people, random: random.fork(`${i}`) }));
  },
};

function nameOf(index: number): string {
  const round = Math.floor(index / NAMES.length);
  return `${NAMES[index % NAMES.length]}${round === 0 ? "" : round + 1}`;
}

interface MemberOptions {
  prefix: string;
  name: string;
  people: readonly string[];
  random: Random;
}

class ChatMember implements SimulatedClient {
  readonly name: string;
  readonly filters: readonly string[];
  readonly #options: MemberOptions;
  #sent = 0;

  constructor(options: MemberOptions) {
    this.#options = options;
    this.name = options.name;
    this.filters = [`${options.prefix}/rooms/+/messages`, `${options.prefix}/users/${this.name}/messages`];
  }

  will(): SimulatedMessage {
    return this.#presence("offline");
  }

  connected(): SimulatedMessage[] {
    return [this.#presence("online")];
  }

  tick(now: Date): SimulatedMessage[] {
    const { prefix, random } = this.#options;
    return [this.#message(`${prefix}/rooms/${ROOM}/messages`, { text: random.pick(SMALL_TALK) }, now)];
  }

  command({ topic, payload }: SimulatedCommand, now: Date): SimulatedMessage[] {
    const said = read(payload);
    const { prefix, people } = this.#options;
    // Answers to the answers of each other would never end.
    if (said.text === "" || people.includes(said.from ?? "")) return [];
    const replyTo = said.id === undefined ? {} : { replyTo: said.id };
    const text = answerTo(said.text);
    if (topic.startsWith(`${prefix}/users/`)) {
      const to = said.from !== undefined && /^[\w.-]{1,100}$/.test(said.from) ? said.from : undefined;
      return to === undefined ? [] : [this.#message(`${prefix}/users/${to}/messages`, { text, ...replyTo }, now)];
    }
    if (this.#answerer(said.text) !== this.name) return [];
    const room = topic.slice(0, -"/messages".length);
    const answer = this.#message(topic, { text, ...replyTo }, now);
    return [
      this.#typing(room, true),
      { ...this.#typing(room, false), delayMs: TYPING_MS },
      { ...answer, delayMs: TYPING_MS },
    ];
  }

  disconnecting(): SimulatedMessage[] {
    return [this.#presence("offline")];
  }

  /** All people hear a message of a room, and all find the same one to answer it. */
  #answerer(text: string): string {
    const { people } = this.#options;
    const named = people.find((name) => new RegExp(`@${name}\\b`, "i").test(text));
    return named ?? people[text.length % people.length]!;
  }

  #message(topic: string, message: { text: string; replyTo?: string }, now: Date): SimulatedMessage {
    const id = `${this.name}-${++this.#sent}`;
    return { topic, payload: JSON.stringify({ id, from: this.name, ...message, time: now.toISOString() }) };
  }

  #typing(room: string, typing: boolean): SimulatedMessage {
    return { topic: `${room}/typing`, payload: JSON.stringify({ from: this.name, typing }), qos: 0 };
  }

  #presence(state: "online" | "offline"): SimulatedMessage {
    return { topic: `${this.#options.prefix}/users/${this.name}/presence`, payload: state, retain: true };
  }
}

/** A message as an object, or its text alone. */
function read(payload: Buffer): { id?: string; from?: string; text: string } {
  const message = objectOf(payload);
  if (message === undefined) return { text: payload.toString().trim().slice(0, MAX_TEXT) };
  const { id, from, text } = message;
  return {
    ...(typeof id === "string" && { id }),
    ...(typeof from === "string" && { from }),
    text: typeof text === "string" ? text.trim().slice(0, MAX_TEXT) : "",
  };
}

function answerTo(text: string): string {
  if (/^ping\b/i.test(text)) return "pong";
  if (text.endsWith("?")) return "Good question. I will find out.";
  return `I have read: ${text}`;
}
