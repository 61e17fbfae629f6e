/** Devices of a Zigbee network, with the values and commands that Zigbee2MQTT gives them. */
import { type JsonObject, numberIn } from "../payload.ts";
import { type Random, Reading, round } from "../random.ts";
import type { Entity } from "./discovery.ts";

/** The base topic of Zigbee2MQTT. */
export const ZIGBEE_BASE = "zigbee2mqtt";
const ON_OFF = ["ON", "OFF"];

/** One device of the Zigbee network. */
export interface ZigbeeDevice {
  readonly name: string;
  readonly address: string;
  readonly model: { manufacturer: string; model: string; description: string };
  state(): Record<string, unknown>;
  tick(): void;
  /** Applies a command. @returns the reason why it failed */
  set(values: JsonObject): string | undefined;
  entities(): Entity[];
}

export class Lamp implements ZigbeeDevice {
  readonly model = { manufacturer: "IKEA", model: "LED1545G12", description: "TRADFRI bulb, white spectrum" };
  readonly #linkQuality: Reading;
  #state = "OFF";
  #brightness = 254;
  #colorTemperature = 370;

  constructor(
    readonly name: string,
    readonly address: string,
    random: Random,
  ) {
    this.#linkQuality = new Reading(random, { start: 120, min: 20, max: 255, step: 6 });
  }

  state(): Record<string, unknown> {
    return {
      state: this.#state,
      brightness: this.#brightness,
      color_temp: this.#colorTemperature,
      linkquality: Math.round(this.#linkQuality.value),
    };
  }

  tick(): void {
    this.#linkQuality.next();
  }

  set({ state, brightness, color_temp: colorTemperature, ...others }: JsonObject): string | undefined {
    const wanted = typeof state === "string" ? state.toUpperCase() : state;
    const [unknown] = Object.keys(others).filter((name) => name !== "transition");
    if (unknown !== undefined) return `No converter available for '${unknown}'`;
    if (wanted !== undefined && wanted !== "TOGGLE" && !ON_OFF.includes(wanted as string)) return "Invalid state";
    if (brightness !== undefined && numberIn(brightness, 0, 254) === undefined) return "Invalid brightness";
    if (colorTemperature !== undefined && numberIn(colorTemperature, 153, 500) === undefined)
      return "Invalid color_temp";
    if (brightness !== undefined) {
      // Brightness also switches: 0 is off.
      this.#state = brightness === 0 ? "OFF" : "ON";
      if (brightness !== 0) this.#brightness = Math.round(brightness as number);
    }
    if (colorTemperature !== undefined) this.#colorTemperature = Math.round(colorTemperature as number);
    if (wanted !== undefined) this.#state = wanted === "TOGGLE" ? otherOf(this.#state) : (wanted as string);
    return undefined;
  }

  entities(): Entity[] {
    const config = {
      name: null,
      schema: "json",
      command_topic: `${ZIGBEE_BASE}/${this.name}/set`,
      brightness: true,
      brightness_scale: 254,
      supported_color_modes: ["color_temp"],
      min_mireds: 153,
      max_mireds: 500,
    };
    return [{ component: "light", node: this.address, object: "light", config }];
  }
}

export class ClimateSensor implements ZigbeeDevice {
  readonly model = { manufacturer: "Aqara", model: "WSDCGQ11LM", description: "Temperature and humidity sensor" };
  readonly #temperature: Reading;
  readonly #humidity: Reading;

  constructor(
    readonly name: string,
    readonly address: string,
    random: Random,
  ) {
    this.#temperature = new Reading(random, { start: random.between(19, 23), min: 12, max: 32, step: 0.2 });
    this.#humidity = new Reading(random, { start: random.between(40, 55), min: 25, max: 85, step: 0.8 });
  }

  state(): Record<string, unknown> {
    return {
      temperature: round(this.#temperature.value, 2),
      humidity: round(this.#humidity.value, 2),
      battery: 97,
      linkquality: 96,
    };
  }

  tick(): void {
    this.#temperature.next();
    this.#humidity.next();
  }

  set(values: JsonObject): string {
    return `No converter available for '${Object.keys(values)[0] ?? ""}'`;
  }

  entities(): Entity[] {
    const units = { temperature: "°C", humidity: "%", battery: "%" };
    return Object.entries(units).map(([name, unit]) => ({
      component: "sensor",
      node: this.address,
      object: name,
      config: {
        device_class: name,
        state_class: "measurement",
        unit_of_measurement: unit,
        value_template: `{{ value_json.${name} }}`,
      },
    }));
  }
}

function otherOf(state: string): string {
  return state === "ON" ? "OFF" : "ON";
}
