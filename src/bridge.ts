/**
 * The composition root: the only file that connects parts and ports. `wiring/` contains the wiring of the two flows.
 */
import { randomUUID } from "node:crypto";
import type { FastifyBaseLogger } from "fastify";
import { createExplain } from "./api/explain.ts";
import { createHandlers } from "./api/handlers.ts";
import { operationsHandlers } from "./api/operations.ts";
import type { Config } from "./config/config.ts";
import { redactUrl } from "./config/config.ts";
import { PLACEHOLDER } from "./downlink/request.ts";
import { buildApp } from "./http/app.ts";
import { type Authenticate, bearerCheck, isGood } from "./http/auth.ts";
import type { KeyRecord } from "./keys/key.ts";
import { Keys } from "./keys/keys.ts";
import { fromStored } from "./message.ts";
import { startEmbeddedBroker } from "./mqtt/embedded/broker.ts";
import { createCanary, createReadiness } from "./ops/health.ts";
import { addGauges, createMetrics } from "./ops/metrics.ts";
import { createObserver, type WideLine } from "./ops/observe.ts";
import { createProbes, createStatus, queueDepths } from "./ops/status.ts";
import { Closing } from "./process/shutdown.ts";
import { openSecrets } from "./security/secrets-key.ts";
import { enterStore, type NewerDataError } from "./store/format.ts";
import { enterIdentity } from "./store/identity.ts";
import { claimInstance } from "./store/instance.ts";
import { openStore } from "./store/open.ts";
import { RecordCache } from "./store/record-cache.ts";
import { createPreview } from "./uplink/deliver/preview.ts";
import { createConsentRequest, originName } from "./uplink/egress/ownership-check.ts";
import { BREAKER, type BreakerPolicy } from "./uplink/health/circuit-breaker.ts";
import type { DeliveryJob } from "./uplink/queue/job.ts";
import { headerError } from "./uplink/request/headers.ts";
import { newSecret, secretError } from "./uplink/request/signature.ts";
import { RESPONSES_QUEUE } from "./uplink/uplink.ts";
import { encryptAll, encryptedRecords, type StoredWebhook } from "./webhooks/encrypted-records.ts";
import { WebhookRegistry } from "./webhooks/registry.ts";
import { WebhookService } from "./webhooks/service.ts";
import { type Components, STOP_MS } from "./wiring/components.ts";
import { wireDownlink } from "./wiring/downlink.ts";
import { wireLive } from "./wiring/live.ts";
import { capabilitiesOf } from "./wiring/roles.ts";
import { wireUplink } from "./wiring/uplink.ts";

export interface Bridge {
  /** Address of the API, e.g. `http://127.0.0.1:8080`. */
  address: string;
  /** The broker's address, without credentials; `none` if the roles need no broker. */
  broker: { url: string; embedded: boolean; wantedPort: boolean };
  store: "redis" | "embedded";
  /** Resolves when a newer bridge has locked this one out of the store; the bridge must then be stopped. */
  outdated: Promise<NewerDataError>;
  /** Closes all parts in order; takes at most about 15 s. Idempotent. */
  stop(): Promise<void>;
}

/** Responses to requests are stored at once; a failure is retried until it succeeds. */
const RESPONSES_WORKER = {
  concurrency: 10,
  lockDuration: 15_000,
  stalledInterval: 10_000,
  maxStalledCount: 1_000_000,
  removeOnComplete: { count: 100 },
  removeOnFail: { count: 100 },
  settings: { backoffStrategy: () => 1_000 },
};
/** Placeholder for the URL in a process without a broker connection. */
const NO_BROKER = "mqtt://localhost";
/** How long the start waits for the broker before it reports success. */
const BROKER_WAIT_MS = 2_000;
/** Interval at which a slow start logs its progress. */
const STARTING_MS = 10_000;

/**
 * Starts the bridge.
 * @param signal aborts the wait for an unavailable store
 * @param breaker for tests, which cannot wait ten minutes
 */
export async function startBridge(
  config: Config,
  apiKey: string,
  { logger: log, wide }: { logger: FastifyBaseLogger; wide: WideLine },
  signal?: AbortSignal,
  breaker: BreakerPolicy = BREAKER,
): Promise<Bridge> {
  const { dataDir, maxPayloadBytes, mqtt, roles } = config;
  const runs = capabilitiesOf(roles);
  const closing = new Closing(log, STOP_MS.rest);
  const stop = () => closing.closeAll();
  const onStop = closing.add.bind(closing);
  const starting = setInterval(() => log.warn({ open: closing.open }, "still_starting"), STARTING_MS);

  try {
    // The store, and this instance's identity among those that share it.
    const instance = await claimInstance(dataDir);
    onStop("instance", () => instance.release());
    const store = await openStore({ storeUrl: config.storeUrl, dataDir, log, signal });
    onStop("store", () => store.close());
    const place = config.storeUrl ? redactUrl(config.storeUrl) : dataDir;
    const identity = await enterIdentity(store, { dataDir, place, accept: config.storeReset });
    const entered = await enterStore(store, { place, holder: instance.name });
    onStop("format", () => entered.stop());
    await identity.keep();

    // The broker: the configured one, the embedded one, or none.
    const embedded =
      mqtt.url || !runs.connection
        ? undefined
        : await startEmbeddedBroker({ ...config.broker, dataDir, maxPayloadBytes, log });
    if (embedded) onStop("broker", () => embedded.close());
    const broker = embedded
      ? { ...embedded.own, url: embedded.url, protocol: "3.1.1" as const }
      : { ...mqtt, url: mqtt.url ?? NO_BROKER };

    // Encryption of the secrets in the store.
    const secrets = await openSecrets({
      keys: config.secretsKeys,
      ...(store.kind === "embedded" && { embeddedIn: dataDir }),
    });
    for (const warning of secrets.warnings) log.warn({ warning }, "store_warning");
    const webhookRecords = store.records<StoredWebhook>("webhooks");
    const resealed = await encryptAll(webhookRecords, secrets.ring);
    if (resealed > 0) log.info({ webhooks: resealed }, "secrets_sealed");

    // Registrations, metrics and the observer.
    const registry = new WebhookRegistry(encryptedRecords(webhookRecords, secrets.ring), log);
    const metrics = createMetrics();
    const observer = createObserver({ log, wide }, metrics, registry);

    const suffix = randomUUID().slice(0, 8);
    const shared: Components = {
      config,
      runs,
      log,
      instance,
      store,
      broker,
      embedded,
      registry,
      observer,
      suffix,
      onStop,
    };
    const down = wireDownlink(shared, {
      untilInStep: (ms) => uplink.untilInStep(ms),
      refused: () => uplink.refused(),
      refresh: () => uplink.refresh(),
    });
    const up = wireUplink(shared, down, breaker);
    const { publisher, outbox, storedRequests } = down;
    const { uplink } = up;
    if (runs.requests) {
      await down.requestView.start();
      onStop("requests", () => down.requestView.stop());
      storedRequests.start();
      onStop("stored_requests", async () => storedRequests.stop());
    }
    await up.start();
    if (runs.outbox) await outbox.start();
    if (runs.responses) {
      const answers = store.queues.worker<DeliveryJob>(
        RESPONSES_QUEUE,
        (job) => storedRequests.answered(fromStored(job.id!, job.data)),
        RESPONSES_WORKER,
      );
      onStop("answers", () => answers.close());
    }
    const canary = runs.canary ? createCanary(store.queues) : undefined;
    if (canary) onStop("canary", () => canary.close(), STOP_MS.canary);

    // Operations.
    const parts = { instance: instance.name, store, publisher, uplink, registry, runs, canary, outbox };
    const status = {
      warnings: secrets.warnings,
      broker: { url: redactUrl(broker.url), embedded: embedded !== undefined },
    };
    const operations = {
      readiness: createReadiness(createProbes(parts)),
      status: createStatus({ ...parts, ...status, roles }),
      metrics: async () => ({ contentType: metrics.registry.contentType, text: await metrics.registry.metrics() }),
    };
    addGauges(metrics, () => queueDepths(parts));

    // Authentication.
    const keyView = new RecordCache(store.records<KeyRecord>("keys"), log, "key");
    const keys = new Keys({ cache: keyView });
    await keyView.start();
    onStop("keys", () => keyView.stop());
    const first = bearerCheck(apiKey);
    const authenticate: Authenticate = (bearer) => first(bearer) ?? keys.authenticate(bearer);

    // The API.
    const { streams, requests } = wireLive(shared, down);
    const explain = createExplain((error) => store.isOutage(error));
    const serveAll = () =>
      createHandlers({
        ...down,
        ...operations,
        deliveries: uplink,
        replays: up.replays,
        webhooks: new WebhookService({
          registry,
          rules: {
            urlError: (url) => up.guard.checkUrlResolved(url),
            headerError,
            secretError,
            expressionError: up.expressions.syntaxError,
          },
          newSecret,
          deliveries: uplink,
          owner: {
            origin: originName(config.publicUrl, config.eventSource),
            ask: createConsentRequest({
              send: up.senders.send,
              publicUrl: config.publicUrl,
              onAsked: observer.askedOwner,
            }),
          },
          untilInStep: async (ms) => publisher.connection.connected && (await uplink.untilInStep(ms)),
          refused: () => uplink.refused(),
        }),
        preview: createPreview({ prepare: up.prepare, eventSource: config.eventSource }),
        keys,
        streams,
        requests,
        registrations: () => registry.all(),
        isValid: (request) => isGood(request, authenticate),
        responseTopic: `causeway/responses/${suffix}/${PLACEHOLDER}`,
        maxPayloadBytes,
        explain,
      });
    const app = await buildApp({
      handlers: runs.api ? serveAll() : operationsHandlers(operations),
      absent: runs.api ? undefined : `this process has ROLES=${roles.join()}; the API is served by those with api`,
      authenticate,
      maxPayloadBytes,
      expiringKeys: store.expiringKeys,
      explain,
      logger: log,
      isClosing: () => closing.begun,
    });
    onStop("http", () => app.close(), STOP_MS.app);
    onStop("live", async () => {
      streams.close();
      requests.close();
    });
    const address = await app.listen({ host: config.http.host, port: config.http.port });
    // Lets first requests succeed; an unavailable broker must not hold up the start.
    const soon = AbortSignal.timeout(BROKER_WAIT_MS);
    if (runs.connection)
      await publisher.connection
        .untilConnected(soon)
        .catch(() => log.warn({ broker: redactUrl(broker.url) }, "broker_away"));
    return {
      address,
      broker: {
        url: runs.connection ? redactUrl(broker.url) : "none",
        embedded: embedded !== undefined,
        wantedPort: embedded?.wantedPort ?? true,
      },
      store: store.kind,
      outdated: entered.outdated,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearInterval(starting);
  }
}
