/** Bedside monitors: vital signs of patients under pseudonyms, alarms by limits, and their acknowledgement. */
import { createHash } from "node:crypto";
import type { Sector, SimulatedClient, SimulatedCommand, SimulatedMessage } from "../model.ts";
import { type JsonObject, numberIn, objectOf } from "../payload.ts";
import { type Random, Reading } from "../random.ts";

type Vital = "heartRate" | "spo2" | "respiration" | "temperature";

interface VitalOptions {
  start: number;
  min: number;
  max: number;
  step: number;
  decimals: number;
  /** Alarm limits at the start. */
  low: number;
  high: number;
}

const VITALS: Record<Vital, VitalOptions> = {
  heartRate: { start: 72, min: 35, max: 190, step: 3, decimals: 0, low: 50, high: 120 },
  spo2: { start: 97, min: 80, max: 100, step: 0.4, decimals: 0, low: 90, high: 101 },
  respiration: { start: 15, min: 5, max: 40, step: 0.8, decimals: 0, low: 8, high: 30 },
  temperature: { start: 36.8, min: 34, max: 42, step: 0.05, decimals: 1, low: 35, high: 39 },
};
const NAMES = Object.keys(VITALS) as Vital[];

/** The same in each run, so that its topic is known: the first is `p-fe7592d0`. */
function pseudonym(index: number): string {
  return `p-${createHash("sha256").update(`patient ${index}`).digest("hex").slice(0, 8)}`;
}

const FIRST = pseudonym(1);

export const health: Sector = {
  name: "health",
  summary: "patient monitors with vital signs and alarms",
  description: "Simulates bedside monitors: vital signs of patients under pseudonyms, and alarms.",
  unit: "patients",
  devices: 1,
  topicPrefix: "health/patients",
  publishes: [
    [`health/patients/${FIRST}/vitals`, "heart rate, oxygen saturation, respiration, temperature"],
    [
      `health/patients/${FIRST}/alarms`,
      '{"id", "vital", "value", "limit", "state": "raised", "acknowledged", "cleared"}',
    ],
    [`health/patients/${FIRST}/answers`, "done or rejected, for each command"],
    [`health/patients/${FIRST}/status`, "online or offline, retained; the last will"],
  ],
  obeys: [
    [
      `health/patients/${FIRST}/commands`,
      '{"command":"set_limit","vital":"heartRate","high":60}, {"command":"acknowledge","alarm":"ID"}, ' +
        '{"command":"measure"}; an "id" comes back in the answer',
    ],
  ],
  examples: [
    `causeway publish health/patients/${FIRST}/commands '{"command":"set_limit","vital":"heartRate","high":60}'`,
  ],
  create: ({ devices, topicPrefix, random }) =>
    Array.from({ length: devices }, (_, i) => {
      const name = pseudonym(i + 1);
      return new PatientMonitor(topicPrefix, name, random.fork(name));
    }),
};

interface ActiveAlarm {
  id: string;
  vital: Vital;
  isAcknowledged: boolean;
}

class PatientMonitor implements SimulatedClient {
  readonly name: string;
  readonly filters: readonly string[];
  readonly #topic: string;
  readonly #readings: Record<Vital, Reading>;
  readonly #limits: Record<Vital, { low: number; high: number }>;
  #alarms: ActiveAlarm[] = [];
  #raised = 0;

  constructor(prefix: string, name: string, random: Random) {
    this.name = name;
    this.#topic = `${prefix}/${name}`;
    this.filters = [`${this.#topic}/commands`];
    this.#readings = each((vital) => new Reading(random, VITALS[vital]));
    this.#limits = each((vital) => ({ low: VITALS[vital].low, high: VITALS[vital].high }));
  }

  will(): SimulatedMessage {
    return this.#status("offline");
  }

  connected(): SimulatedMessage[] {
    return [this.#status("online")];
  }

  tick(now: Date): SimulatedMessage[] {
    for (const vital of NAMES) {
      const { start } = VITALS[vital];
      const { value } = this.#readings[vital];
      // Back to the healthy value, slowly.
      this.#readings[vital].next((start - value) / 20);
    }
    return [this.#vitals(now), ...this.#checkLimits(now)];
  }

  command({ payload }: SimulatedCommand, now: Date): SimulatedMessage[] {
    const command = objectOf(payload) ?? {};
    const answer = (value: object) =>
      this.#message("answers", { ...(typeof command.id === "string" && { id: command.id }), ...value });
    switch (command.command) {
      case "set_limit": {
        const error = this.#setLimit(command);
        return error === undefined
          ? [answer({ status: "done", limits: this.#limits }), ...this.#checkLimits(now)]
          : [answer({ status: "rejected", reason: error })];
      }
      case "acknowledge": {
        const alarm = this.#alarms.find(({ id }) => id === command.alarm);
        if (alarm === undefined) return [answer({ status: "rejected", reason: "alarm: no such active alarm" })];
        alarm.isAcknowledged = true;
        return [answer({ status: "done" }), this.#alarmMessage(alarm, "acknowledged", now)];
      }
      case "measure":
        return [answer({ status: "done" }), this.#vitals(now)];
      default:
        return [answer({ status: "rejected", reason: "command: unknown" })];
    }
  }

  disconnecting(): SimulatedMessage[] {
    return [this.#status("offline")];
  }

  #setLimit({ vital, low, high }: JsonObject): string | undefined {
    if (!NAMES.includes(vital as Vital)) return `vital: must be one of ${NAMES.join(", ")}`;
    const limits = this.#limits[vital as Vital];
    const wanted = { low: low ?? limits.low, high: high ?? limits.high };
    const isValid = [wanted.low, wanted.high].every((limit) => numberIn(limit, 0, 300) !== undefined);
    if (!isValid || Number(wanted.low) >= Number(wanted.high)) return "low and high: not a valid range";
    this.#limits[vital as Vital] = wanted as { low: number; high: number };
    return undefined;
  }

  #checkLimits(now: Date): SimulatedMessage[] {
    return NAMES.flatMap((vital) => {
      const value = this.#valueOf(vital);
      const { low, high } = this.#limits[vital];
      const isOutside = value < low || value > high;
      const active = this.#alarms.find((alarm) => alarm.vital === vital);
      if (isOutside === (active !== undefined)) return [];
      if (active !== undefined) {
        this.#alarms = this.#alarms.filter((alarm) => alarm !== active);
        return [this.#alarmMessage(active, "cleared", now)];
      }
      const alarm = { id: `${this.name}-${++this.#raised}`, vital, isAcknowledged: false };
      this.#alarms.push(alarm);
      return [this.#alarmMessage(alarm, "raised", now)];
    });
  }

  #alarmMessage({ id, vital }: ActiveAlarm, state: string, now: Date): SimulatedMessage {
    const value = this.#valueOf(vital);
    return this.#message("alarms", { id, vital, value, limits: this.#limits[vital], state, time: now.toISOString() });
  }

  #vitals(now: Date): SimulatedMessage {
    return this.#message("vitals", { ...each((vital) => this.#valueOf(vital)), time: now.toISOString() });
  }

  #valueOf(vital: Vital): number {
    return Number(this.#readings[vital].value.toFixed(VITALS[vital].decimals));
  }

  #status(status: "online" | "offline"): SimulatedMessage {
    return { topic: `${this.#topic}/status`, payload: status, retain: true };
  }

  #message(name: string, value: object): SimulatedMessage {
    return { topic: `${this.#topic}/${name}`, payload: JSON.stringify(value) };
  }
}

function each<T>(of: (vital: Vital) => T): Record<Vital, T> {
  return Object.fromEntries(NAMES.map((vital) => [vital, of(vital)])) as Record<Vital, T>;
}
