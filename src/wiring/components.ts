/** Components that all parts of the composition share, and their limits. */
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
  /** Capabilities of this process. */
  runs: Running;
  log: FastifyBaseLogger;
  instance: Instance;
  store: Store;
  /** The configured broker, or the embedded one. */
  broker: BrokerAddress;
  embedded: EmbeddedBroker | undefined;
  registry: WebhookRegistry;
  observer: Observer;
  /** Random suffix that makes this process's client ids unique. */
  suffix: string;
  /**
   * Adds a part to the shutdown, which runs in reverse order. @param ms time limit, after which the next part is closed
   * anyway
   */
  onStop(part: string, close: () => Promise<unknown>, ms?: number): void;
}

/** Limits of received messages that are not yet durable: about ten flushes, and within a small machine's memory. */
export const RECEIVE_LIMITS = { maxPending: 5_000, maxPendingBytes: 64 * 1024 * 1024 };

/** Time limit for closing each part, in order of closing; the sum is less than the process's limit of 15 s. */
export const STOP_MS = {
  app: 1_500,
  canary: 500,
  /** Calls in progress finish; received messages become durable and are acknowledged. */
  flow: 9_000,
  replays: 500,
  outbox: 500,
  rest: 250,
};
