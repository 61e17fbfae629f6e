/** Smart meters of households, and the feeders of their substation behind a Sparkplug B edge node. */
import type { Sector, SimulatedClient, SimulatedMessage } from "../model.ts";
import { type Random, Reading, round } from "../random.ts";
import type { SparkplugDevice, SparkplugMetric } from "../sparkplug/device.ts";

const GROUP = "Grid";
const NODE = "substation-1";
const MS_PER_HOUR = 3_600_000;

export const energy: Sector = {
  name: "energy",
  summary: "smart meters, and a substation with breakers on Sparkplug B",
  description:
    "Simulates smart meters, which publish telegrams of DSMR as JSON in the form of DSMR-reader, and the feeders of a " +
    "substation behind a Sparkplug B edge node, with breakers that open and close.",
  unit: "meters and feeders",
  devices: 2,
  publishes: [
    ["dsmr/meter-1/json", "a telegram: meter readings and power by phase, numbers as strings"],
    ["spBv1.0/Grid/NBIRTH/substation-1", "the node; again after a rebirth command"],
    ["spBv1.0/Grid/DBIRTH/substation-1/feeder-1", "all metrics with name, alias and data type"],
    ["spBv1.0/Grid/DDATA/substation-1/feeder-1", "changed metrics by alias: power, voltage, energy, breaker"],
    ["spBv1.0/Grid/NDEATH/substation-1", "at the end; the last will"],
  ],
  obeys: [
    ["spBv1.0/Grid/NCMD/substation-1", "Node Control/Rebirth (Boolean): all births again"],
    ["spBv1.0/Grid/DCMD/substation-1/feeder-1", "Breaker/Closed (Boolean): without it no power flows"],
  ],
  examples: [
    `causeway publish spBv1.0/Grid/DCMD/substation-1/feeder-1 --payload-format sparkplug '{"metrics":[{"name":"Breaker/Closed","dataType":"Boolean","value":false}]}'`,
    `causeway publish spBv1.0/Grid/NCMD/substation-1 --payload-format sparkplug '{"metrics":[{"name":"Node Control/Rebirth","dataType":"Boolean","value":true}]}'`,
  ],
  async create({ devices, random }) {
    // Protocol Buffers need 20 ms to load, which no other command should wait for.
    const { EdgeNode } = await import("../sparkplug/edge-node.ts");
    const each = <T>(kind: string, create: (name: string, random: Random) => T) =>
      Array.from({ length: devices }, (_, i) => create(`${kind}-${i + 1}`, random.fork(`${kind}-${i + 1}`)));
    return [
      ...each("meter", (name, own) => new SmartMeter(name, own)),
      new EdgeNode({ group: GROUP, node: NODE, devices: each("feeder", (name, own) => new Feeder(name, own)) }),
    ];
  },
};

/** A meter only talks: its port takes no commands. */
class SmartMeter implements SimulatedClient {
  readonly filters = [];
  readonly #phases: Reading[];
  readonly #voltage: Reading;
  #deliveredKwh: number;
  #telegrams = 0;
  #lastTick: Date | undefined;

  constructor(
    readonly name: string,
    random: Random,
  ) {
    this.#phases = [1, 2, 3].map(
      () => new Reading(random, { start: random.between(0.1, 0.8), min: 0, max: 5.7, step: 0.05 }),
    );
    this.#voltage = new Reading(random, { start: 230, min: 222, max: 238, step: 0.5 });
    this.#deliveredKwh = random.between(500, 9_000);
  }

  connected(): SimulatedMessage[] {
    return [];
  }

  tick(now: Date): SimulatedMessage[] {
    const hours =
      this.#lastTick === undefined ? 0 : Math.max(0, now.getTime() - this.#lastTick.getTime()) / MS_PER_HOUR;
    this.#lastTick = now;
    const [l1, l2, l3] = this.#phases.map((phase) => phase.next()) as [number, number, number];
    const delivered = l1 + l2 + l3;
    this.#deliveredKwh += delivered * hours;
    const telegram = {
      id: ++this.#telegrams,
      timestamp: now.toISOString(),
      electricity_delivered_1: this.#deliveredKwh.toFixed(3),
      electricity_returned_1: "0.000",
      electricity_currently_delivered: delivered.toFixed(3),
      electricity_currently_returned: "0.000",
      phase_currently_delivered_l1: l1.toFixed(3),
      phase_currently_delivered_l2: l2.toFixed(3),
      phase_currently_delivered_l3: l3.toFixed(3),
      phase_voltage_l1: this.#voltage.next().toFixed(1),
    };
    return [{ topic: `dsmr/${this.name}/json`, payload: JSON.stringify(telegram) }];
  }

  command(): SimulatedMessage[] {
    return [];
  }

  disconnecting(): SimulatedMessage[] {
    return [];
  }
}

class Feeder implements SparkplugDevice {
  readonly #power: Reading;
  readonly #voltage: Reading;
  #energyKwh: number;
  #isClosed = true;
  #lastTick: Date | undefined;

  constructor(
    readonly name: string,
    random: Random,
  ) {
    this.#power = new Reading(random, { start: random.between(120, 400), min: 40, max: 630, step: 6 });
    this.#voltage = new Reading(random, { start: 20, min: 19.4, max: 20.6, step: 0.05 });
    this.#energyKwh = random.between(10_000, 90_000);
  }

  metrics(): SparkplugMetric[] {
    return [
      { name: "Power", type: "Double", value: this.#isClosed ? round(this.#power.value, 1) : 0 },
      { name: "Voltage", type: "Double", value: this.#isClosed ? round(this.#voltage.value, 2) : 0 },
      { name: "Energy", type: "Double", value: round(this.#energyKwh, 3) },
      { name: "Breaker/Closed", type: "Boolean", value: this.#isClosed },
    ];
  }

  tick(now: Date): void {
    const hours =
      this.#lastTick === undefined ? 0 : Math.max(0, now.getTime() - this.#lastTick.getTime()) / MS_PER_HOUR;
    this.#lastTick = now;
    this.#voltage.next();
    if (this.#isClosed) this.#energyKwh += this.#power.next() * hours;
  }

  write(name: string, value: unknown): void {
    if (name === "Breaker/Closed" && typeof value === "boolean") this.#isClosed = value;
  }
}
