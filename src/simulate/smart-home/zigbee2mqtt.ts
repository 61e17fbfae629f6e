/** Zigbee2MQTT with lamps and climate sensors. @see https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html */
import type { SimulatedClient, SimulatedCommand, SimulatedMessage } from "../model.ts";
import { type JsonObject, numberIn, objectOf } from "../payload.ts";
import type { Random } from "../random.ts";
import { BIRTH_TOPIC, discovery, isBirth } from "./discovery.ts";
import { ZIGBEE_BASE as BASE, ClimateSensor, Lamp, type ZigbeeDevice } from "./zigbee-devices.ts";

const VERSION = "2.6.0";

export class ZigbeeGateway implements SimulatedClient {
  readonly name = "zigbee2mqtt";
  readonly filters = [`${BASE}/+/set`, `${BASE}/+/set/+`, `${BASE}/+/get`, `${BASE}/bridge/request/#`, BIRTH_TOPIC];
  readonly #devices: Map<string, ZigbeeDevice>;

  constructor(devices: number, random: Random) {
    const all = Array.from({ length: devices }, (_, i) => [
      new Lamp(`lamp_${i + 1}`, addressOf(2 * i), random.fork(`lamp ${i}`)),
      new ClimateSensor(`climate_${i + 1}`, addressOf(2 * i + 1), random.fork(`climate ${i}`)),
    ]).flat();
    this.#devices = new Map(all.map((device) => [device.name, device]));
  }

  will(): SimulatedMessage {
    return retained(`${BASE}/bridge/state`, { state: "offline" });
  }

  connected(): SimulatedMessage[] {
    return [
      retained(`${BASE}/bridge/state`, { state: "online" }),
      retained(`${BASE}/bridge/info`, { version: VERSION, permit_join: false, network: { channel: 11 } }),
      this.#list(),
      ...[...this.#devices.values()].flatMap((device) => [
        retained(`${BASE}/${device.name}/availability`, { state: "online" }),
        stateOf(device),
      ]),
      ...this.#announce(),
    ];
  }

  tick(): SimulatedMessage[] {
    return [...this.#devices.values()].map((device) => {
      device.tick();
      return stateOf(device);
    });
  }

  command({ topic, payload }: SimulatedCommand): SimulatedMessage[] {
    if (isBirth(topic, payload)) return this.#announce();
    if (topic.startsWith(`${BASE}/bridge/request/`)) return [respond(topic, payload)];
    const [, name = "", verb, attribute] = topic.split("/");
    const device = this.#devices.get(name);
    if (device === undefined) return verb === "set" || verb === "get" ? [failure(`Entity '${name}' is unknown`)] : [];
    if (verb === "get") return [stateOf(device)];
    const values = attribute === undefined ? valuesOf(payload) : { [attribute]: wordOf(payload) };
    if (values === undefined) return [failure(`Invalid JSON '${payload}', skipping...`)];
    const reason = device.set(values);
    return reason === undefined ? [stateOf(device)] : [failure(`Publish 'set' to '${name}' failed: '${reason}'`)];
  }

  disconnecting(): SimulatedMessage[] {
    const names = [...this.#devices.keys()];
    return [
      ...names.map((name) => retained(`${BASE}/${name}/availability`, { state: "offline" })),
      retained(`${BASE}/bridge/state`, { state: "offline" }),
    ];
  }

  #list(): SimulatedMessage {
    const devices = [...this.#devices.values()].map(({ name, address, model }) => ({
      ieee_address: address,
      type: "EndDevice",
      friendly_name: name,
      supported: true,
      definition: { vendor: model.manufacturer, model: model.model, description: model.description },
    }));
    return retained(`${BASE}/bridge/devices`, devices);
  }

  #announce(): SimulatedMessage[] {
    return [...this.#devices.values()].flatMap((device) =>
      device.entities().map((entity) => {
        const topics = [`${BASE}/bridge/state`, `${BASE}/${device.name}/availability`];
        const config = {
          availability: topics.map((topic) => ({ topic, value_template: "{{ value_json.state }}" })),
          availability_mode: "all",
          device: { identifiers: [`zigbee2mqtt_${device.address}`], name: device.name, ...modelOf(device) },
          origin: { name: "Zigbee2MQTT", sw: VERSION },
          state_topic: `${BASE}/${device.name}`,
          ...entity.config,
        };
        return discovery({ ...entity, config });
      }),
    );
  }
}

function respond(topic: string, payload: Buffer): SimulatedMessage {
  const request = topic.slice(`${BASE}/bridge/request/`.length);
  const { transaction, time } = objectOf(payload) ?? {};
  const answers: Record<string, object> = {
    health_check: { data: { healthy: true }, status: "ok" },
    permit_join: { data: { time: numberIn(time, 0, 254) ?? 254 }, status: "ok" },
  };
  const known = Object.hasOwn(answers, request) ? answers[request] : undefined;
  const answer = known ?? { data: {}, status: "error", error: `Request '${request}' is not simulated` };
  const body = { ...answer, ...(transaction !== undefined && { transaction }) };
  return { topic: `${BASE}/bridge/response/${request}`, payload: JSON.stringify(body) };
}

function failure(message: string): SimulatedMessage {
  const body = { level: "error", message: `z2m: ${message.slice(0, 200)}`, namespace: "z2m" };
  return { topic: `${BASE}/bridge/logging`, payload: JSON.stringify(body) };
}

/** A JSON object, or the state alone, as `ON`. */
function valuesOf(payload: Buffer): JsonObject | undefined {
  const text = payload.toString().trim();
  return objectOf(payload) ?? (/^(on|off|toggle)$/i.test(text) ? { state: text } : undefined);
}

function wordOf(payload: Buffer): string | number {
  const text = payload.toString().trim();
  return /^\d+$/.test(text) ? Number(text) : text;
}

function stateOf(device: ZigbeeDevice): SimulatedMessage {
  return { topic: `${BASE}/${device.name}`, payload: JSON.stringify(device.state()) };
}

function modelOf({ model }: ZigbeeDevice): object {
  return { manufacturer: model.manufacturer, model: model.description, model_id: model.model };
}

function retained(topic: string, value: unknown): SimulatedMessage {
  return { topic, payload: JSON.stringify(value), retain: true };
}

/** IEEE addresses in the range of a manufacturer. */
function addressOf(index: number): string {
  return `0x00158d00${(0x10_0000 + index).toString(16).padStart(8, "0")}`;
}
