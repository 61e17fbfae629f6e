/**
 * A simulated client of the broker: one device, or a gateway that speaks for several. Models hold their state and know
 * neither clock nor network: the time is passed in, and the same seed gives the same values.
 */
import type { Random } from "./random.ts";

export interface SimulatedMessage {
  topic: string;
  payload: string | Buffer;
  /** Default: 1. */
  qos?: 0 | 1 | 2;
  retain?: boolean;
  /** MQTT 5 correlation data of the request that this message answers. */
  correlationData?: Buffer;
  /** The device needs this long before it sends the message, e.g. for a motor to move. */
  delayMs?: number;
}

/** A message that reached the client. */
export interface SimulatedCommand {
  topic: string;
  payload: Buffer;
  /** MQTT 5: where the sender wants the answer. */
  responseTopic?: string | undefined;
  correlationData?: Buffer | undefined;
}

export interface SimulatedClient {
  /** Name in the output, and the first part of the client id. */
  readonly name: string;
  /** Topic filters of the commands. */
  readonly filters: readonly string[];
  /** The last will of the next connection. */
  will?(): SimulatedMessage;
  /** Messages after each connection: births, discovery, states. */
  connected(now: Date): SimulatedMessage[];
  /** The next round of readings. */
  tick(now: Date): SimulatedMessage[];
  /** Obeys a command. Invalid ones are answered where the device has a way to do so, and never throw. */
  command(command: SimulatedCommand, now: Date): SimulatedMessage[];
  /** The last messages before an orderly end, after which the broker sends no will. */
  disconnecting(now: Date): SimulatedMessage[];
}

export interface SectorOptions {
  /** How many devices to simulate. */
  devices: number;
  /** First levels of all topics, where the sector lets its users choose. */
  topicPrefix: string;
  random: Random;
}

export interface Sector {
  name: string;
  summary: string;
  description: string;
  /** Unit that `--devices` counts, in the plural. */
  unit: string;
  /** The default of `--devices`. */
  devices: number;
  /** The default of `--topic-prefix`. Absent: the topics are fixed. */
  topicPrefix?: string;
  /** Topics of the devices, and their meaning. */
  publishes: readonly (readonly [topic: string, meaning: string])[];
  /** Topics of commands, and what the devices do. */
  obeys: readonly (readonly [topic: string, meaning: string])[];
  /** Arguments of `causeway` that make sense while the simulation runs. */
  examples: readonly string[];
  create(options: SectorOptions): SimulatedClient[] | Promise<SimulatedClient[]>;
}
