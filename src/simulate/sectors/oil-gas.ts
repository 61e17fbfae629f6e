/** Wellheads behind a Sparkplug B edge node, with a choke valve and an emergency shutdown. */
import type { Sector } from "../model.ts";
import { numberIn } from "../payload.ts";
import { type Random, Reading, round } from "../random.ts";
import type { SparkplugDevice, SparkplugMetric } from "../sparkplug/device.ts";

const GROUP = "Field";
const NODE = "pad-1";
/** Percent that the choke moves from one reading to the next. */
const CHOKE_STEP = 10;

export const oilGas: Sector = {
  name: "oil-gas",
  summary: "wellheads behind a Sparkplug B edge node, with a choke valve",
  description:
    "Simulates a Sparkplug B edge node with wellheads: births with names and aliases, data by alias, and commands for " +
    "the choke valve and the emergency shutdown.",
  unit: "wells",
  devices: 2,
  publishes: [
    ["spBv1.0/Field/NBIRTH/pad-1", "the node; again after a rebirth command"],
    ["spBv1.0/Field/DBIRTH/pad-1/well-1", "all metrics with name, alias and data type"],
    ["spBv1.0/Field/DDATA/pad-1/well-1", "changed metrics by alias: pressures, temperature, flows, choke"],
    ["spBv1.0/Field/NDEATH/pad-1", "at the end; the last will"],
  ],
  obeys: [
    ["spBv1.0/Field/NCMD/pad-1", "Node Control/Rebirth (Boolean): all births again"],
    [
      "spBv1.0/Field/DCMD/pad-1/well-1",
      "Choke/Setpoint (Double, percent), ESD/Trip (Boolean: closes the choke until false); by name or alias",
    ],
  ],
  examples: [
    `causeway publish spBv1.0/Field/DCMD/pad-1/well-1 --payload-format sparkplug '{"metrics":[{"name":"Choke/Setpoint","dataType":"Double","value":20}]}'`,
    `causeway publish spBv1.0/Field/NCMD/pad-1 --payload-format sparkplug '{"metrics":[{"name":"Node Control/Rebirth","dataType":"Boolean","value":true}]}'`,
  ],
  async create({ devices, random }) {
    // Protocol Buffers need 20 ms to load, which no other command should wait for.
    const { EdgeNode } = await import("../sparkplug/edge-node.ts");
    const wells = Array.from({ length: devices }, (_, i) => new Well(`well-${i + 1}`, random.fork(`well-${i + 1}`)));
    return [new EdgeNode({ group: GROUP, node: NODE, devices: wells })];
  },
};

class Well implements SparkplugDevice {
  readonly #reservoir: Reading;
  readonly #casing: Reading;
  readonly #temperature: Reading;
  #choke = 60;
  #setpoint = 60;
  #isTripped = false;

  constructor(
    readonly name: string,
    random: Random,
  ) {
    this.#reservoir = new Reading(random, { start: random.between(110, 140), min: 80, max: 180, step: 0.8 });
    this.#casing = new Reading(random, { start: random.between(40, 60), min: 20, max: 90, step: 0.3 });
    this.#temperature = new Reading(random, { start: random.between(55, 70), min: 30, max: 95, step: 0.4 });
  }

  metrics(): SparkplugMetric[] {
    const opening = this.#choke / 100;
    return [
      // The more the choke is closed, the more pressure is in front of it.
      double("Wellhead/Tubing Pressure", this.#reservoir.value * (1 - 0.4 * opening)),
      double("Wellhead/Casing Pressure", this.#casing.value),
      double("Wellhead/Temperature", this.#temperature.value),
      double("Flow/Oil Rate", this.#reservoir.value * opening * 0.12),
      double("Flow/Gas Rate", this.#reservoir.value * opening * 18),
      double("Choke/Position", this.#choke),
      double("Choke/Setpoint", this.#setpoint),
      { name: "ESD/Trip", type: "Boolean", value: this.#isTripped },
    ];
  }

  tick(): void {
    for (const reading of [this.#reservoir, this.#casing, this.#temperature]) reading.next();
    const target = this.#isTripped ? 0 : this.#setpoint;
    const way = target - this.#choke;
    // An emergency shuts at once; the actuator of the choke is slow.
    this.#choke = this.#isTripped ? 0 : this.#choke + Math.sign(way) * Math.min(Math.abs(way), CHOKE_STEP);
  }

  write(name: string, value: unknown): void {
    if (name === "Choke/Setpoint") this.#setpoint = numberIn(value, 0, 100) ?? this.#setpoint;
    if (name === "ESD/Trip" && typeof value === "boolean") this.#isTripped = value;
  }
}

function double(name: string, value: number): SparkplugMetric {
  return { name, type: "Double", value: round(value, 2) };
}
