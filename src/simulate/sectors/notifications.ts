/** Phones that show notifications, and report when they arrived and when their user has read them. */
import type { Sector, SimulatedClient, SimulatedCommand, SimulatedMessage } from "../model.ts";
import { objectOf } from "../payload.ts";
import type { Random } from "../random.ts";

const REMEMBERED = 1_000;
const PRIORITIES = ["low", "normal", "high"];
const BAD_NOTIFICATION = "must be an object with the strings id and title, and priority low, normal or high";

export const notifications: Sector = {
  name: "notifications",
  summary: "phones that receive notifications and send receipts",
  description: "Simulates phones that receive notifications, and report when each was delivered and read.",
  unit: "users",
  devices: 2,
  topicPrefix: "users",
  publishes: [
    ["users/user-1/receipts", '{"id", "status": "delivered", "duplicate", "read" or "rejected", "time"}'],
    ["users/user-1/state", "unread notifications, battery, doNotDisturb; retained"],
    ["users/user-1/presence", "online or offline, retained; the last will"],
  ],
  obeys: [
    ["users/user-1/notifications", '{"id":"1","title":"Hello","body":"…","priority":"normal"}; shown, later read'],
    ["users/all/notifications", "the same for everybody"],
    ["users/user-1/settings", '{"doNotDisturb":true}: only notifications of priority high are read'],
  ],
  examples: [`causeway publish users/user-1/notifications '{"id":"1","title":"Your parcel is here"}'`],
  create: ({ devices, topicPrefix, random }) =>
    Array.from({ length: devices }, (_, i) => new Phone(topicPrefix, `user-${i + 1}`, random.fork(`user-${i + 1}`))),
};

interface ShownNotification {
  id: string;
  priority: string;
}

class Phone implements SimulatedClient {
  readonly name: string;
  readonly filters: readonly string[];
  readonly #topic: string;
  readonly #seen = new Set<string>();
  #unread: ShownNotification[] = [];
  #doNotDisturb = false;
  #battery: number;

  constructor(prefix: string, name: string, random: Random) {
    this.name = name;
    this.#topic = `${prefix}/${name}`;
    this.filters = [`${this.#topic}/notifications`, `${prefix}/all/notifications`, `${this.#topic}/settings`];
    this.#battery = random.integer(40, 100);
  }

  will(): SimulatedMessage {
    return this.#presence("offline");
  }

  connected(): SimulatedMessage[] {
    return [this.#presence("online"), this.#state()];
  }

  /** The user reads one notification at a time. */
  tick(now: Date): SimulatedMessage[] {
    this.#battery = this.#battery === 1 ? 100 : this.#battery - 1;
    const next = this.#unread.find(({ priority }) => !this.#doNotDisturb || priority === "high");
    if (next === undefined) return [this.#state()];
    this.#unread = this.#unread.filter((each) => each !== next);
    return [this.#receipt(next.id, "read", now), this.#state()];
  }

  command({ topic, payload }: SimulatedCommand, now: Date): SimulatedMessage[] {
    if (topic === `${this.#topic}/settings`) return this.#set(payload, now);
    const { id, title, priority = "normal" } = objectOf(payload) ?? {};
    const isValid = typeof id === "string" && typeof title === "string" && PRIORITIES.includes(priority as string);
    if (!isValid) return [this.#receipt(typeof id === "string" ? id : null, "rejected", now, BAD_NOTIFICATION)];
    // QoS 1 may repeat a message; the user sees it once.
    if (this.#seen.has(id)) return [this.#receipt(id, "duplicate", now)];
    this.#remember(id);
    this.#unread.push({ id, priority: priority as string });
    return [this.#receipt(id, "delivered", now), this.#state()];
  }

  disconnecting(): SimulatedMessage[] {
    return [this.#presence("offline")];
  }

  #set(payload: Buffer, now: Date): SimulatedMessage[] {
    const { doNotDisturb } = objectOf(payload) ?? {};
    if (typeof doNotDisturb !== "boolean") {
      return [this.#receipt(null, "rejected", now, "doNotDisturb must be true or false")];
    }
    this.#doNotDisturb = doNotDisturb;
    return [this.#state()];
  }

  #remember(id: string): void {
    this.#seen.add(id);
    const [oldest] = this.#seen;
    if (this.#seen.size > REMEMBERED) this.#seen.delete(oldest!);
    if (this.#unread.length >= REMEMBERED) this.#unread.shift();
  }

  #receipt(id: string | null, status: string, now: Date, reason?: string): SimulatedMessage {
    const receipt = { id, status, ...(reason !== undefined && { reason }), time: now.toISOString() };
    return { topic: `${this.#topic}/receipts`, payload: JSON.stringify(receipt) };
  }

  #state(): SimulatedMessage {
    const state = { unread: this.#unread.length, battery: this.#battery, doNotDisturb: this.#doNotDisturb };
    return { topic: `${this.#topic}/state`, payload: JSON.stringify(state), retain: true };
  }

  #presence(state: "online" | "offline"): SimulatedMessage {
    return { topic: `${this.#topic}/presence`, payload: state, retain: true };
  }
}
