/** Cars with a telematics unit: they drive, lose fuel, find faults, and act on remote commands. */
import type { Sector, SimulatedClient, SimulatedCommand, SimulatedMessage } from "../model.ts";
import { objectOf } from "../payload.ts";
import { type Random, Reading, round } from "../random.ts";

/** The motors of the locks need this long. */
const ACTUATOR_MS = 400;
const METERS_PER_DEGREE = 111_320;
const LITERS_PER_100_KM = 6.5;
const TANK_LITERS = 50;
/** Above walking pace the doors stay locked. */
const MAX_UNLOCK_KMH = 5;
const PLACE = { latitude: 52.52, longitude: 13.405 };
/** Readings until the first fault; short, so that a demonstration sees one. */
const TICKS_TO_FAULT = 10;
/** Trouble codes of SAE J2012. */
const FAULTS = [
  ["P0301", "Cylinder 1 misfire detected"],
  ["P0171", "System too lean (bank 1)"],
  ["P0420", "Catalyst system efficiency below threshold (bank 1)"],
] as const;

export const vehicle: Sector = {
  name: "vehicle",
  summary: "cars with position, engine data, faults and remote commands",
  description: "Simulates cars that report position, engine and trouble codes, and act on remote commands.",
  unit: "cars",
  devices: 1,
  topicPrefix: "vehicles",
  publishes: [
    ["vehicles/car-1/position", "latitude, longitude, speed in km/h, heading"],
    ["vehicles/car-1/engine", "revolutions, coolant temperature, fuel, odometer"],
    ["vehicles/car-1/dtc", "diagnostic trouble codes, retained; when one appears or all are cleared"],
    ["vehicles/car-1/acks/ID", "done or rejected, for each command"],
    ["vehicles/car-1/state", "locks, engine and climate, retained; after each command"],
    ["vehicles/car-1/status", "online or offline, retained; the last will"],
  ],
  obeys: [
    [
      "vehicles/car-1/commands",
      '{"id":"7","command":"lock"}; or unlock, horn, climate_on, climate_off, start, stop, clear_dtc',
    ],
  ],
  examples: [
    `causeway publish vehicles/car-1/commands '{"id":"7","command":"stop"}'`,
    `causeway request vehicles/car-1/commands '{"id":"{requestId}","command":"lock"}' --response-topic 'vehicles/car-1/acks/{requestId}'`,
  ],
  create: ({ devices, topicPrefix, random }) =>
    Array.from({ length: devices }, (_, i) => new Car(topicPrefix, `car-${i + 1}`, random.fork(`car-${i + 1}`))),
};

class Car implements SimulatedClient {
  readonly name: string;
  readonly filters: readonly string[];
  readonly #topic: string;
  readonly #random: Random;
  readonly #speed: Reading;
  #state = { doors: "locked", engine: "running", climate: "off" };
  #position: { latitude: number; longitude: number };
  #heading: number;
  #odometerKm: number;
  #fuelLiters: number;
  #coolant = 70;
  #faults: { code: string; description: string; since: string }[] = [];
  #ticks = 0;
  #lastTick: Date | undefined;

  constructor(prefix: string, name: string, random: Random) {
    this.name = name;
    this.#topic = `${prefix}/${name}`;
    this.filters = [`${this.#topic}/commands`];
    this.#random = random;
    this.#speed = new Reading(random, { start: 50, min: 20, max: 130, step: 8 });
    this.#heading = random.integer(0, 359);
    this.#odometerKm = random.between(5_000, 120_000);
    this.#fuelLiters = random.between(20, TANK_LITERS);
    const { latitude, longitude } = PLACE;
    this.#position = {
      latitude: latitude + random.between(-0.05, 0.05),
      longitude: longitude + random.between(-0.05, 0.05),
    };
  }

  will(): SimulatedMessage {
    return this.#status("offline");
  }

  connected(): SimulatedMessage[] {
    return [this.#status("online"), this.#reportedState(), this.#troubleCodes()];
  }

  tick(now: Date): SimulatedMessage[] {
    this.#drive(now);
    const time = now.toISOString();
    const { latitude, longitude } = this.#position;
    const speedKmh = Math.round(this.#speedKmh);
    const position = { latitude: round(latitude, 6), longitude: round(longitude, 6), speedKmh, heading: this.#heading };
    const engine = {
      rpm: this.#isRunning ? 800 + speedKmh * 22 : 0,
      coolantCelsius: Math.round(this.#coolant),
      fuelPercent: round((this.#fuelLiters / TANK_LITERS) * 100, 1),
      odometerKm: round(this.#odometerKm, 1),
    };
    return [
      this.#message("position", { ...position, time }),
      this.#message("engine", { ...engine, time }),
      ...this.#newFault(time),
    ];
  }

  command({ payload }: SimulatedCommand): SimulatedMessage[] {
    const { id, command } = objectOf(payload) ?? {};
    // Without a usable id there is no topic for the answer.
    if (typeof id !== "string" || !/^[\w.:-]{1,100}$/.test(id)) {
      return [this.#message("acks/unknown", { status: "rejected", reason: "id: missing, or not valid in a topic" })];
    }
    const reason = this.#act(command);
    if (reason !== undefined) return [this.#message(`acks/${id}`, { id, status: "rejected", reason })];
    const done = this.#message(`acks/${id}`, { id, status: "done" });
    const states = command === "clear_dtc" ? [this.#troubleCodes()] : [this.#reportedState()];
    return [done, ...states].map((message) => ({ ...message, delayMs: ACTUATOR_MS }));
  }

  disconnecting(): SimulatedMessage[] {
    return [this.#status("offline")];
  }

  get #isRunning(): boolean {
    return this.#state.engine === "running";
  }

  get #speedKmh(): number {
    return this.#isRunning ? this.#speed.value : 0;
  }

  /** Carries the command out, or returns why not. */
  #act(command: unknown): string | undefined {
    if (command === "unlock" && this.#speedKmh > MAX_UNLOCK_KMH) return "the car is moving";
    if (command === "start" && this.#fuelLiters === 0) return "the tank is empty";
    if (command === "lock") this.#state.doors = "locked";
    else if (command === "unlock") this.#state.doors = "unlocked";
    else if (command === "start") this.#state.engine = "running";
    else if (command === "stop") this.#state.engine = "off";
    else if (command === "climate_on") this.#state.climate = "on";
    else if (command === "climate_off") this.#state.climate = "off";
    else if (command === "clear_dtc") this.#faults = [];
    else if (command !== "horn") return "command: unknown";
    return undefined;
  }

  #drive(now: Date): void {
    const seconds = this.#lastTick === undefined ? 0 : Math.max(0, (now.getTime() - this.#lastTick.getTime()) / 1_000);
    this.#lastTick = now;
    this.#coolant = this.#isRunning ? Math.min(92, this.#coolant + 2) : Math.max(15, this.#coolant - 0.5);
    if (!this.#isRunning) return;
    const km = (this.#speed.next() * seconds) / 3_600;
    this.#odometerKm += km;
    this.#fuelLiters = Math.max(0, this.#fuelLiters - (km * LITERS_PER_100_KM) / 100);
    if (this.#fuelLiters === 0) this.#state.engine = "off";
    this.#heading = (this.#heading + this.#random.integer(-15, 15) + 360) % 360;
    const radians = (this.#heading * Math.PI) / 180;
    const degrees = (km * 1_000) / METERS_PER_DEGREE;
    const { latitude, longitude } = this.#position;
    this.#position = {
      latitude: latitude + degrees * Math.cos(radians),
      longitude: longitude + (degrees * Math.sin(radians)) / Math.cos((latitude * Math.PI) / 180),
    };
  }

  #newFault(time: string): SimulatedMessage[] {
    if (++this.#ticks % TICKS_TO_FAULT !== 0) return [];
    const fault = FAULTS.find(([code]) => this.#faults.every((known) => known.code !== code));
    if (fault === undefined) return [];
    const [code, description] = fault;
    this.#faults = [...this.#faults, { code, description, since: time }];
    return [this.#troubleCodes()];
  }

  #troubleCodes(): SimulatedMessage {
    return { ...this.#message("dtc", { codes: this.#faults }), retain: true };
  }

  #reportedState(): SimulatedMessage {
    return { ...this.#message("state", this.#state), retain: true };
  }

  #status(status: "online" | "offline"): SimulatedMessage {
    return { topic: `${this.#topic}/status`, payload: status, retain: true };
  }

  #message(name: string, value: object): SimulatedMessage {
    return { topic: `${this.#topic}/${name}`, payload: JSON.stringify(value) };
  }
}
