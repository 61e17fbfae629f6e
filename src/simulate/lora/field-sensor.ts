/** A LoRaWAN class A device: a soil sensor with a valve, and the queue of its downlinks. */
import { createHash } from "node:crypto";
import { type Random, Reading, round } from "../random.ts";

/** ChirpStack's id of the application. */
export const APPLICATION = "17c82e96-be03-4f38-aef3-f83d48582d97";
/** The port of the valve. */
const VALVE_PORT = 10;
/** The largest payload at the data rate of these devices, EU868 DR5. */
export const MAX_PAYLOAD_BYTES = 242;
const MAX_QUEUE = 100;

export interface Downlink {
  id: string;
  port: number;
  data: Buffer;
  isConfirmed: boolean;
  correlationIds: string[];
  /** Set when it is sent. */
  frameCounter: number;
}

export interface Uplink {
  data: Buffer;
  decoded: { moisture: number; temperature: number; battery: number; valve: "open" | "closed" };
  frameCounter: number;
  rssi: number;
  snr: number;
  /** The confirmed downlink that this uplink acknowledges. */
  acknowledged: Downlink | undefined;
  /** The downlink that the network sends after this uplink. */
  sent: Downlink | undefined;
}

export class FieldSensor {
  readonly random: Random;
  readonly #moisture: Reading;
  readonly #temperature: Reading;
  #isOpen = false;
  #frameCounter = 0;
  #downlinkCounter = 0;
  #queue: Downlink[] = [];
  #unacknowledged: Downlink | undefined;

  constructor(random: Random) {
    this.random = random;
    this.#moisture = new Reading(random, { start: random.between(25, 40), min: 5, max: 60, step: 0.4 });
    this.#temperature = new Reading(random, { start: random.between(8, 18), min: -20, max: 45, step: 0.3 });
  }

  /** Returns false if the queue is full. */
  enqueue(downlink: Downlink): boolean {
    if (this.#queue.length >= MAX_QUEUE) return false;
    this.#queue.push(downlink);
    return true;
  }

  clearQueue(): void {
    this.#queue = [];
  }

  /** Sends one uplink, and receives at most one downlink in the windows after it. */
  uplink(): Uplink {
    const decoded = {
      moisture: round(this.#moisture.next(this.#isOpen ? 1 : -0.1), 1),
      temperature: round(this.#temperature.next(), 1),
      battery: 3.6,
      valve: this.#isOpen ? ("open" as const) : ("closed" as const),
    };
    const data = Buffer.alloc(6);
    data.writeUInt16BE(Math.round(decoded.moisture * 10), 0);
    data.writeInt16BE(Math.round(decoded.temperature * 10), 2);
    data.writeUInt8(Math.round(decoded.battery * 10), 4);
    data.writeUInt8(this.#isOpen ? 1 : 0, 5);
    const acknowledged = this.#unacknowledged;
    const sent = this.#queue.shift();
    if (sent !== undefined) this.#receive(sent);
    this.#unacknowledged = sent?.isConfirmed ? sent : undefined;
    const signal = { rssi: this.random.integer(-118, -72), snr: round(this.random.between(-6, 10), 1) };
    return { data, decoded, frameCounter: this.#frameCounter++, ...signal, acknowledged, sent };
  }

  #receive(downlink: Downlink): void {
    downlink.frameCounter = this.#downlinkCounter++;
    if (downlink.port === VALVE_PORT && downlink.data.length > 0) this.#isOpen = downlink.data[0] === 1;
  }
}

export function devEui(number: number): string {
  return `70b3d57ed00${number.toString(16).padStart(5, "0")}`;
}

/** Ids that a seed repeats. */
export function uuidOf(random: Random): string {
  const hex = createHash("sha256").update(random.hex(16)).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Standard Base64 as JSON of both servers has it, or undefined. */
export function base64Of(value: unknown): Buffer | undefined {
  if (typeof value !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(value) || value.length % 4 !== 0) return undefined;
  return Buffer.from(value, "base64");
}
