/** A plug with Tasmota and an energy meter. @see https://tasmota.github.io/docs/Commands/ */
import type { SimulatedClient, SimulatedCommand, SimulatedMessage } from "../model.ts";
import { type Random, Reading, round } from "../random.ts";
import { BIRTH_TOPIC, discovery, isBirth } from "./discovery.ts";

const GROUP = "tasmotas";
const VERSION = "15.0.1";
const MS_PER_HOUR = 3_600_000;

export class TasmotaPlug implements SimulatedClient {
  readonly filters: readonly string[];
  readonly #power: Reading;
  readonly #voltage: Reading;
  #isOn = false;
  #telePeriod = 300;
  #totalKwh: number;
  #lastTick: Date | undefined;

  constructor(
    readonly name: string,
    random: Random,
  ) {
    this.filters = [`cmnd/${name}/+`, `cmnd/${GROUP}/+`, BIRTH_TOPIC];
    this.#power = new Reading(random, { start: random.between(30, 120), min: 5, max: 2_300, step: 4 });
    this.#voltage = new Reading(random, { start: 230, min: 222, max: 238, step: 0.6 });
    this.#totalKwh = round(random.between(1, 400), 3);
  }

  will(): SimulatedMessage {
    return { topic: `tele/${this.name}/LWT`, payload: "Offline", retain: true };
  }

  connected(now: Date): SimulatedMessage[] {
    const online = { topic: `tele/${this.name}/LWT`, payload: "Online", retain: true };
    return [online, ...this.#announce(), this.#json("tele", "STATE", this.#state(now))];
  }

  tick(now: Date): SimulatedMessage[] {
    this.#measure(now);
    return [this.#json("tele", "STATE", this.#state(now)), this.#json("tele", "SENSOR", this.#sensor(now))];
  }

  command({ topic, payload }: SimulatedCommand, now: Date): SimulatedMessage[] {
    if (isBirth(topic, payload)) return this.#announce();
    const [kind, , command = ""] = topic.split("/");
    if (kind !== "cmnd") return [];
    const data = payload.toString().trim().toUpperCase();
    switch (command.toUpperCase()) {
      case "POWER":
      case "POWER1":
        return this.#switch(data, now);
      case "STATE":
        return [this.#json("stat", "RESULT", this.#state(now))];
      case "STATUS":
        return this.#status(data, now);
      case "TELEPERIOD":
        if (/^\d+$/.test(data) && Number(data) >= 10 && Number(data) <= 3_600) this.#telePeriod = Number(data);
        return [this.#json("stat", "RESULT", { TelePeriod: this.#telePeriod })];
      default:
        return [this.#json("stat", "RESULT", { Command: "Unknown", Input: command.toUpperCase().slice(0, 50) })];
    }
  }

  disconnecting(): SimulatedMessage[] {
    return [this.will()];
  }

  /** Any other value than these asks for the state, as with the real firmware. */
  #switch(data: string, now: Date): SimulatedMessage[] {
    this.#measure(now);
    if (["1", "ON", "TRUE"].includes(data)) this.#isOn = true;
    else if (["0", "OFF", "FALSE"].includes(data)) this.#isOn = false;
    else if (["2", "TOGGLE"].includes(data)) this.#isOn = !this.#isOn;
    const power = this.#isOn ? "ON" : "OFF";
    return [this.#json("stat", "RESULT", { POWER: power }), { topic: `stat/${this.name}/POWER`, payload: power }];
  }

  #status(data: string, now: Date): SimulatedMessage[] {
    if (data === "8" || data === "10") {
      this.#measure(now);
      return [this.#json("stat", `STATUS${data}`, { StatusSNS: this.#sensor(now) })];
    }
    const status = {
      DeviceName: this.name,
      FriendlyName: [this.name],
      Topic: this.name,
      Power: this.#isOn ? "1" : "0",
    };
    return [this.#json("stat", "STATUS", { Status: status })];
  }

  #measure(now: Date): void {
    const hours = this.#lastTick === undefined ? 0 : (now.getTime() - this.#lastTick.getTime()) / MS_PER_HOUR;
    this.#lastTick = now;
    this.#voltage.next();
    if (this.#isOn) this.#totalKwh += (this.#power.next() * Math.max(0, hours)) / 1_000;
  }

  #sensor(now: Date): object {
    const power = this.#isOn ? Math.round(this.#power.value) : 0;
    const voltage = Math.round(this.#voltage.value);
    const energy = {
      TotalStartTime: "2026-01-01T00:00:00",
      Total: round(this.#totalKwh, 3),
      Yesterday: 0.512,
      Today: 0.208,
      Power: power,
      ApparentPower: Math.round(power * 1.05),
      ReactivePower: Math.round(power * 0.32),
      Factor: this.#isOn ? 0.95 : 0,
      Voltage: voltage,
      Current: round((power * 1.05) / voltage, 3),
    };
    return { Time: timeOf(now), ENERGY: energy };
  }

  #state(now: Date): object {
    return {
      Time: timeOf(now),
      POWER: this.#isOn ? "ON" : "OFF",
      Wifi: { AP: 1, SSId: "home", RSSI: 82, Signal: -59 },
    };
  }

  #announce(): SimulatedMessage[] {
    const shared = {
      availability_topic: `tele/${this.name}/LWT`,
      payload_available: "Online",
      payload_not_available: "Offline",
      device: {
        identifiers: [this.name],
        name: this.name,
        manufacturer: "Tasmota",
        model: "Plug",
        sw_version: VERSION,
      },
      origin: { name: "Tasmota", sw: VERSION },
    };
    const power = {
      ...shared,
      name: null,
      command_topic: `cmnd/${this.name}/POWER`,
      state_topic: `stat/${this.name}/POWER`,
    };
    const meter = {
      ...shared,
      name: "Power",
      device_class: "power",
      unit_of_measurement: "W",
      state_topic: `tele/${this.name}/SENSOR`,
      value_template: "{{ value_json.ENERGY.Power }}",
    };
    return [
      discovery({ component: "switch", node: this.name, object: "relay", config: power }),
      discovery({ component: "sensor", node: this.name, object: "power", config: meter }),
    ];
  }

  #json(kind: "stat" | "tele", name: string, value: object): SimulatedMessage {
    return { topic: `${kind}/${this.name}/${name}`, payload: JSON.stringify(value) };
  }
}

/** Local time without a zone; the simulated home is in UTC. */
function timeOf(now: Date): string {
  return now.toISOString().slice(0, 19);
}
