/** Scenarios that a test starts and closes itself. New tests use `scenario.ts`. */
import {
  embedded as embeddedKind,
  type Kind,
  mosquittoAndRedis as mosquittoAndRedisKind,
  openScenario,
  type Scenario,
} from "./scenario.ts";

export interface Setup extends Scenario {
  close(): Promise<void>;
}

export interface SetupKind extends Kind {
  /** `persistence`: whether Mosquitto writes to disk, which is slow and only needed where it is killed. */
  start(env?: Record<string, string>, broker?: { persistence?: boolean }): Promise<Setup>;
}

export const embedded: SetupKind = withStart(embeddedKind);

export function mosquittoAndRedis(protocol: "5" | "3.1.1"): SetupKind {
  return withStart(mosquittoAndRedisKind(protocol));
}

function withStart(kind: Kind): SetupKind {
  const start: SetupKind["start"] = (env = {}, mosquitto = {}) => openScenario(kind, { env, mosquitto, device: false });
  return { ...kind, start };
}
