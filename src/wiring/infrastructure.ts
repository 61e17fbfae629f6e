/** Infrastructure that everything else is built with: opened one part after the other, before anything is wired. */
import { randomUUID } from "node:crypto";
import type { FastifyBaseLogger } from "fastify";
import { type Config, redactUrl } from "../config/config.ts";
import { type Hook, openHookFields } from "../hooks/hook.ts";
import { HookRegistry } from "../hooks/registry.ts";
import type { BrokerAddress } from "../mqtt/client/connection.ts";
import { type EmbeddedBroker, startEmbeddedBroker } from "../mqtt/embedded/broker.ts";
import { BROKER_PROCEDURES } from "../mqtt/embedded/sqlite-persistence.ts";
import { createMetrics, type Metrics } from "../ops/metrics.ts";
import { Observer, type WideLine } from "../ops/observe.ts";
import { SeriesRecorder } from "../ops/series/recorder.ts";
import { encryptAll, encryptedRecords, type Kind, type Stored } from "../security/encrypted-records.ts";
import { openSecrets } from "../security/secrets-key.ts";
import { enterStore, type NewerDataError } from "../store/format.ts";
import { enterIdentity } from "../store/identity.ts";
import { claimInstance } from "../store/instance.ts";
import { openStore } from "../store/open.ts";
import { Database } from "../store/sqlite/database.ts";
import type { Records, Store } from "../store/store.ts";
import { WebhookRegistry } from "../webhooks/registry.ts";
import { openFields, type Webhook } from "../webhooks/webhook.ts";
import { capabilitiesOf, type Running } from "./roles.ts";

export interface Infrastructure {
  config: Config;
  /** Capabilities of this process. */
  runs: Running;
  log: FastifyBaseLogger;
  /** Name of this instance among those that share the store. */
  instance: string;
  store: Store;
  /** Resolves when a newer bridge has locked this one out of the store. */
  outdated: Promise<NewerDataError>;
  /** The configured broker, or the embedded one. */
  broker: BrokerAddress;
  embedded: EmbeddedBroker | undefined;
  registry: WebhookRegistry;
  /** Inbound hooks. */
  hooks: HookRegistry;
  metrics: Metrics;
  /** Statistics over time. */
  recorder: SeriesRecorder;
  observer: Observer;
  /** Warnings for the operator, in addition to the store's own. */
  warnings: readonly string[];
  /** Random suffix that makes this process's client ids unique. */
  suffix: string;
}

export interface Logs {
  logger: FastifyBaseLogger;
  wide: WideLine;
}

/** Placeholder for the URL in a process without a broker connection. */
const NO_BROKER = "mqtt://localhost";

/**
 * @param onOpen called for each part that is open, with its stop
 * @param signal aborts the wait for an unavailable store
 */
export async function openInfrastructure(
  config: Config,
  { logger: log, wide }: Logs,
  onOpen: (name: "instance" | "store" | "format" | "broker", stop: () => unknown) => void,
  signal?: AbortSignal,
): Promise<Infrastructure> {
  const { dataDir, maxPayloadBytes, mqtt, storeSync: synchronous } = config;
  const runs = capabilitiesOf(config.roles);

  // The file of the embedded store and broker, the store, and this instance's identity among those that share it.
  const instance = await claimInstance(dataDir);
  onOpen("instance", () => instance.release());
  const needsBroker = !mqtt.url && runs.connection;
  const modules = needsBroker ? [BROKER_PROCEDURES] : [];
  const database =
    needsBroker || !config.storeUrl ? await Database.open({ dataDir, log, synchronous, modules }) : undefined;
  const store = await openStore({ storeUrl: config.storeUrl, dataDir, database, log, signal }).catch(async (error) => {
    await database?.close();
    throw error;
  });
  onOpen("store", async () => {
    await store.close();
    await database?.close();
  });
  const place = config.storeUrl ? redactUrl(config.storeUrl) : dataDir;
  const identity = await enterIdentity(store, { dataDir, place, accept: config.storeReset });
  const format = await enterStore(store, { place, holder: instance.name });
  onOpen("format", () => format.stop());
  await identity.keep();

  // The broker: the configured one, the embedded one, or none.
  const embedded =
    needsBroker && database
      ? await startEmbeddedBroker({ ...config.broker, file: database, maxPayloadBytes, log })
      : undefined;
  if (embedded) onOpen("broker", () => embedded.close());
  const broker: BrokerAddress = embedded
    ? { ...embedded.own, url: embedded.url, protocol: "3.1.1" }
    : { ...mqtt, url: mqtt.url ?? NO_BROKER };

  // Encryption of the secrets in the store.
  const embeddedIn = store.kind === "embedded" ? { embeddedIn: dataDir } : {};
  const secrets = await openSecrets({ keys: config.secretsKeys, ...embeddedIn });
  for (const warning of secrets.warnings) log.warn({ warning }, "store_warning");
  async function openEncrypted<T extends object>(collection: "webhooks" | "hooks", kind: Kind<T>): Promise<Records<T>> {
    const records = store.records<Stored<T>>(collection);
    const resealed = await encryptAll(records, secrets.ring, kind);
    if (resealed > 0) log.info({ [collection]: resealed }, "secrets_sealed");
    return encryptedRecords(records, secrets.ring, kind);
  }
  const webhooks = await openEncrypted<Webhook>("webhooks", { what: "webhook", openFields });
  const registry = new WebhookRegistry(webhooks, log);
  const hooks = new HookRegistry(await openEncrypted<Hook>("hooks", { what: "hook", openFields: openHookFields }), log);
  const metrics = createMetrics();
  const recorder: SeriesRecorder = new SeriesRecorder({
    series: store.series,
    webhooks: registry,
    onFailed: (error) => observer.partFailed("series", error),
  });
  const observer = new Observer({ log, wide }, metrics, registry, recorder);
  const { warnings } = secrets;
  const { outdated } = format;
  const suffix = randomUUID().slice(0, 8);
  const name = instance.name;
  return {
    ...{ config, runs, log, instance: name, store, outdated, broker, embedded },
    ...{ registry, hooks, metrics, recorder, observer, warnings, suffix },
  };
}
