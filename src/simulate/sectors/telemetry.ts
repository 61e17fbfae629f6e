/** Raspberry Pis with a climate sensor, an LED and a fan: the topics of the tour. */
import type { Sector, SimulatedClient, SimulatedCommand, SimulatedMessage } from "../model.ts";
import { type JsonObject, numberIn, objectOf } from "../payload.ts";
import { type Random, Reading, round } from "../random.ts";

const REBOOT_MS = 2_000;
const EMPTY_BATTERY = 5;

export const telemetry: Sector = {
  name: "telemetry",
  summary: "sensors with an LED and a fan",
  description: "Simulates single-board computers that report a room's climate, and obey and answer commands.",
  unit: "devices",
  devices: 1,
  topicPrefix: "devices",
  publishes: [
    ["devices/pi-1/telemetry", "temperature, humidity, battery"],
    ["devices/pi-1/state", "LED, fan and firmware, retained; after each command"],
    ["devices/pi-1/status", "online or offline, retained; the last will"],
    ["devices/pi-1/errors", "why a command was not obeyed"],
  ],
  obeys: [
    ["devices/pi-1/commands", '{"led":"on"}, {"fan":80} (percent; it cools), {"reboot":true}'],
    ["devices/pi-1/requests/ID", "the same commands, or {} to ask; the response is on devices/pi-1/responses/ID"],
  ],
  examples: [
    `causeway publish devices/pi-1/commands '{"led":"on"}'`,
    `causeway request 'devices/pi-1/requests/{requestId}' '{"fan":80}' --response-topic 'devices/pi-1/responses/{requestId}'`,
  ],
  create: ({ devices, topicPrefix, random }) =>
    Array.from({ length: devices }, (_, i) => new Pi(topicPrefix, `pi-${i + 1}`, random.fork(`pi-${i + 1}`))),
};

interface PiState {
  led: "on" | "off";
  /** Percent. */
  fan: number;
  firmware: string;
}

class Pi implements SimulatedClient {
  readonly name: string;
  readonly filters: readonly string[];
  readonly #topic: string;
  readonly #temperature: Reading;
  readonly #humidity: Reading;
  readonly #battery: Reading;
  #state: PiState = { led: "off", fan: 0, firmware: "1.4.2" };

  constructor(prefix: string, name: string, random: Random) {
    this.name = name;
    this.#topic = `${prefix}/${name}`;
    this.filters = [`${this.#topic}/commands`, `${this.#topic}/requests/+`];
    this.#temperature = new Reading(random, { start: random.between(19, 24), min: 10, max: 40, step: 0.3 });
    this.#humidity = new Reading(random, { start: random.between(35, 55), min: 20, max: 90, step: 1 });
    this.#battery = new Reading(random, { start: random.between(60, 100), min: EMPTY_BATTERY, max: 100, step: 0 });
  }

  will(): SimulatedMessage {
    return this.#status("offline");
  }

  connected(): SimulatedMessage[] {
    return [this.#status("online"), this.#reportedState()];
  }

  tick(now: Date): SimulatedMessage[] {
    const reading = {
      temperature: round(this.#temperature.next(-this.#state.fan / 100), 1),
      humidity: Math.round(this.#humidity.next()),
      battery: Math.round(this.#battery.next(-0.02)),
      time: now.toISOString(),
    };
    return [{ topic: `${this.#topic}/telemetry`, payload: JSON.stringify(reading) }];
  }

  command({ topic, payload, responseTopic, correlationData }: SimulatedCommand): SimulatedMessage[] {
    const command = objectOf(payload);
    const error = command === undefined ? "not a JSON object" : this.#obey(command);
    const isRequest = topic.startsWith(`${this.#topic}/requests/`);
    const answer = error === undefined ? { ok: true, ...this.#state } : { ok: false, error };
    const replies: SimulatedMessage[] = [];
    if (isRequest || responseTopic !== undefined) {
      const to = responseTopic ?? topic.replace(/requests(?=\/[^/]*$)/, "responses");
      replies.push({ topic: to, payload: JSON.stringify(answer), ...(correlationData && { correlationData }) });
    } else if (error !== undefined) {
      replies.push({ topic: `${this.#topic}/errors`, payload: JSON.stringify({ error }) });
    }
    if (error === undefined) replies.push(this.#reportedState());
    if (error === undefined && command?.reboot === true) {
      replies.push(this.#status("offline"), { ...this.#status("online"), delayMs: REBOOT_MS });
    }
    return replies;
  }

  disconnecting(): SimulatedMessage[] {
    return [this.#status("offline")];
  }

  /** Obeys all members of the command, or none; then returns the reason. */
  #obey(command: JsonObject): string | undefined {
    const wanted: Partial<PiState> = {};
    for (const [name, value] of Object.entries(command)) {
      if (name === "led" && (value === "on" || value === "off")) wanted.led = value;
      else if (name === "fan" && numberIn(value, 0, 100) !== undefined) wanted.fan = value as number;
      else if (name !== "reboot" || value !== true) return `${name}: unknown, or not a valid value`;
    }
    this.#state = { ...this.#state, ...wanted };
    // A reboot switches everything off.
    if (command.reboot === true) this.#state = { ...this.#state, led: "off", fan: 0 };
    return undefined;
  }

  #reportedState(): SimulatedMessage {
    return { topic: `${this.#topic}/state`, payload: JSON.stringify(this.#state), retain: true };
  }

  #status(status: "online" | "offline"): SimulatedMessage {
    return { topic: `${this.#topic}/status`, payload: status, retain: true };
  }
}
