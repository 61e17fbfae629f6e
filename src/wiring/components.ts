/** What every part of the composition is given. */
import type { FastifyBaseLogger } from "fastify";
import type { Config } from "../config/config.ts";
import type { BrokerAddress } from "../mqtt/client/connection.ts";
import type { EmbeddedBroker } from "../mqtt/embedded/broker.ts";
import type { Observer } from "../ops/observe.ts";
import type { Instance } from "../store/instance.ts";
import type { Store } from "../store/store.ts";
import type { WebhookRegistry } from "../webhooks/registry.ts";
import type { Running } from "./roles.ts";

export interface Components {
  config: Config;
  /** What this process does. */
  runs: Running;
  log: FastifyBaseLogger;
  instance: Instance;
  store: Store;
  /** The broker: theirs, or our own. */
  broker: BrokerAddress;
  embedded: EmbeddedBroker | undefined;
  registry: WebhookRegistry;
  observer: Observer;
  /** Of the client ids of this process, which nobody else has. */
  suffix: string;
  /** What was opened last is ended first. @param ms after which the next part is ended all the same */
  onStop(part: string, close: () => Promise<unknown>, ms?: number): void;
}

/** Received and not yet durable: about ten flushes, and what a small machine can hold. */
export const RECEIVE_LIMITS = { maxPending: 5_000, maxPendingBytes: 64 * 1024 * 1024 };

/** How long each part may take to end, in the order of ending; together less than the 15 s of the process. */
export const STOP_MS = {
  app: 1_500,
  canary: 500,
  /** Calls under way finish, and what was received becomes durable and is acknowledged. */
  flow: 9_000,
  replays: 500,
  outbox: 500,
  rest: 250,
};
