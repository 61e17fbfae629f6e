/**
 * A Sparkplug B edge node with devices (Sparkplug 3.0.0): births with names and aliases, data by alias, deaths, and the
 * commands NCMD and DCMD. It does not wait for a primary host.
 */
import { sparkplugToValue } from "../../formats/sparkplug/decode.ts";
import { DATA_TYPES, type Holder, type Metric, toUint64, writePayload } from "../../formats/sparkplug/schema.ts";
import type { SimulatedClient, SimulatedCommand, SimulatedMessage } from "../model.ts";
import type { SparkplugDevice, SparkplugMetric } from "./device.ts";

const REBIRTH = "Node Control/Rebirth";
/** Aliases are unique in an edge node: each device has a range of its own. */
const ALIASES_PER_DEVICE = 100;

export interface EdgeNodeOptions {
  group: string;
  node: string;
  devices: readonly SparkplugDevice[];
}

/** The decoded command: a value for a name or an alias. */
interface WrittenMetric {
  name?: string;
  alias?: number | bigint;
  value?: unknown;
}

export class EdgeNode implements SimulatedClient {
  readonly name: string;
  readonly filters: readonly string[];
  readonly #options: EdgeNodeOptions;
  /** The last reported value of each metric: only changes are sent. */
  readonly #reported = new Map<string, string>();
  #birthDeathSequence = -1;
  #sequence = 0;

  constructor(options: EdgeNodeOptions) {
    const { group, node } = options;
    this.#options = options;
    this.name = node;
    this.filters = [`spBv1.0/${group}/NCMD/${node}`, `spBv1.0/${group}/DCMD/${node}/+`];
  }

  /** Each connection has a will with a number of its own, which its NBIRTH repeats. */
  will(): SimulatedMessage {
    this.#birthDeathSequence = (this.#birthDeathSequence + 1) % 256;
    return this.#death();
  }

  connected(now: Date): SimulatedMessage[] {
    return this.#births(now);
  }

  tick(now: Date): SimulatedMessage[] {
    return this.#options.devices.flatMap((device) => {
      device.tick(now);
      const changed = device.metrics().filter((metric) => this.#isNews(device, metric));
      return changed.length === 0 ? [] : [this.#data(device, changed, now)];
    });
  }

  command({ topic, payload }: SimulatedCommand, now: Date): SimulatedMessage[] {
    const written = metricsOf(payload);
    const [, , type, , name] = topic.split("/");
    if (type === "NCMD") {
      const isRebirth = written.some((metric) => metric.name === REBIRTH && metric.value === true);
      return isRebirth ? this.#births(now) : [];
    }
    const device = this.#options.devices.find((each) => each.name === name);
    if (device === undefined) return [];
    const named = written.flatMap((metric) => this.#find(device, metric) ?? []);
    for (const { name: metric, value } of named) device.write(metric, value);
    // Also a refused value is answered: the host sees the one that holds.
    const answered = device.metrics().filter((metric) => named.some((each) => each.name === metric.name));
    for (const metric of answered) this.#isNews(device, metric);
    return answered.length === 0 ? [] : [this.#data(device, answered, now)];
  }

  /** An orderly end: the broker sends no will, so the node says it itself. */
  disconnecting(): SimulatedMessage[] {
    return [this.#death()];
  }

  #births(now: Date): SimulatedMessage[] {
    this.#sequence = 0;
    const sequence = Math.max(0, this.#birthDeathSequence);
    const node: SparkplugMetric[] = [
      { name: "bdSeq", type: "Int64", value: sequence },
      { name: REBIRTH, type: "Boolean", value: false },
      { name: "Properties/Software", type: "String", value: "causeway simulate" },
    ];
    const birth = this.#message(
      "NBIRTH",
      node.map((metric) => toMetric(metric, now)),
      now,
    );
    const devices = this.#options.devices.map((device) => {
      for (const metric of device.metrics()) this.#isNews(device, metric);
      const metrics = device.metrics().map((metric) => ({
        ...toMetric(metric, now),
        alias: this.#aliasOf(device, metric.name),
      }));
      return this.#message("DBIRTH", metrics, now, device.name);
    });
    return [birth, ...devices];
  }

  /** Names and data types are in the birth. */
  #data(device: SparkplugDevice, metrics: readonly SparkplugMetric[], now: Date): SimulatedMessage {
    const values = metrics.map((metric) => ({
      alias: this.#aliasOf(device, metric.name),
      timestamp: timestampOf(now),
      ...holderOf(metric),
    }));
    return this.#message("DDATA", values, now, device.name);
  }

  /** Without times: that of a will would be the time of the connection. */
  #death(): SimulatedMessage {
    const sequence = toUint64(BigInt(Math.max(0, this.#birthDeathSequence)));
    const metric: Metric = { name: "bdSeq", datatype: DATA_TYPES.indexOf("Int64"), longValue: sequence };
    return { topic: this.#topic("NDEATH"), payload: Buffer.from(writePayload({ metrics: [metric] })), qos: 1 };
  }

  #message(type: string, metrics: Metric[], now: Date, device?: string): SimulatedMessage {
    const seq = toUint64(BigInt(this.#sequence));
    this.#sequence = (this.#sequence + 1) % 256;
    const payload = Buffer.from(writePayload({ timestamp: timestampOf(now), metrics, seq }));
    return { topic: this.#topic(type, device), payload, qos: 0 };
  }

  #topic(type: string, device?: string): string {
    const { group, node } = this.#options;
    return `spBv1.0/${group}/${type}/${node}${device === undefined ? "" : `/${device}`}`;
  }

  #aliasOf(device: SparkplugDevice, metric: string) {
    const { devices } = this.#options;
    const index = device.metrics().findIndex(({ name }) => name === metric);
    return toUint64(BigInt((devices.indexOf(device) + 1) * ALIASES_PER_DEVICE + index));
  }

  #find(device: SparkplugDevice, { name, alias, value }: WrittenMetric): { name: string; value: unknown } | undefined {
    const first = (this.#options.devices.indexOf(device) + 1) * ALIASES_PER_DEVICE;
    const known = device.metrics();
    const metric = name !== undefined ? known.find((each) => each.name === name) : known[Number(alias) - first];
    return metric && { name: metric.name, value };
  }

  /** Remembers the value, and returns whether it differs from the one before. */
  #isNews(device: SparkplugDevice, { name, value }: SparkplugMetric): boolean {
    const key = `${device.name}/${name}`;
    const before = this.#reported.get(key);
    this.#reported.set(key, String(value));
    return before !== String(value);
  }
}

function metricsOf(payload: Buffer): WrittenMetric[] {
  try {
    return (sparkplugToValue(payload) as { metrics: WrittenMetric[] }).metrics;
  } catch {
    // Not Sparkplug: the specification knows no answer to it.
    return [];
  }
}

function toMetric(metric: SparkplugMetric, now: Date): Metric {
  const { name, type } = metric;
  return { name, timestamp: timestampOf(now), datatype: DATA_TYPES.indexOf(type), ...holderOf(metric) };
}

function holderOf({ type, value }: SparkplugMetric): Holder {
  if (type === "Boolean") return { booleanValue: value === true };
  if (type === "String") return { stringValue: String(value) };
  return type === "Double" ? { doubleValue: Number(value) } : { longValue: toUint64(BigInt(value)) };
}

function timestampOf(now: Date) {
  return toUint64(BigInt(now.getTime()));
}
