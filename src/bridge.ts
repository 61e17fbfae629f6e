/** The composition root: the architecture on one page. It alone knows which part stands behind which port. */
import { randomUUID } from "node:crypto";
import type { FastifyBaseLogger } from "fastify";
import { Closing } from "./closing.ts";
import type { Config } from "./config.ts";
import { redactUrl } from "./config.ts";
import { makeOutbox } from "./downlink/outbox.ts";
import type { OutgoingMessage, PublishResult } from "./downlink/publish.ts";
import { PLACEHOLDER } from "./downlink/request.ts";
import { Requests } from "./downlink/requests.ts";
import { ANSWERS_GATE, type RequestRecord, StoredRequests } from "./downlink/stored-requests.ts";
import { Problem } from "./errors.ts";
import { makeHandlers } from "./handlers.ts";
import { buildApp } from "./http/app.ts";
import { type Authenticate, bearerCheck, isGood } from "./http/auth.ts";
import type { KeyRecord } from "./keys/key.ts";
import { Keys } from "./keys/keys.ts";
import { Lease } from "./lease.ts";
import { fromStored } from "./message.ts";
import { protocolName } from "./mqtt/connection.ts";
import { startEmbeddedBroker } from "./mqtt/embedded-broker.ts";
import { Publisher } from "./mqtt/publisher.ts";
import { retainedFinder } from "./mqtt/retained-finder.ts";
import { retainedReader } from "./mqtt/retained-reader.ts";
import { UplinkSession } from "./mqtt/uplink-session.ts";
import { makeCanary, makeReadiness } from "./ops/health.ts";
import { addGauges, makeMetrics } from "./ops/metrics.ts";
import { makeObserver, type WideLine } from "./ops/observe.ts";
import { makeProbes, makeStatus, queueDepths } from "./ops/status.ts";
import { openSecrets } from "./secrets-key.ts";
import { claimInstance } from "./store/instance.ts";
import { openStore } from "./store/open.ts";
import { makeAddressGuard } from "./uplink/address-guard.ts";
import { makeAuthorizedSend } from "./uplink/authorize.ts";
import { BREAKER, type BreakerPolicy, type EndpointRecord } from "./uplink/breaker.ts";
import { type DeliveryJob, queueName } from "./uplink/delivery.ts";
import { makeExpressions } from "./uplink/expressions.ts";
import { Feed } from "./uplink/feed.ts";
import { headerError } from "./uplink/headers.ts";
import { LANE, type LaneRecord } from "./uplink/lane.ts";
import { Ordered } from "./uplink/ordered.ts";
import { makeAsk, originName } from "./uplink/ownership.ts";
import { makePrepare } from "./uplink/prepare.ts";
import { makePreview } from "./uplink/preview.ts";
import { Replays } from "./uplink/replays.ts";
import { makeSenders } from "./uplink/senders.ts";
import { newSecret, secretError } from "./uplink/sign.ts";
import { Snapshots } from "./uplink/snapshot.ts";
import { Streams } from "./uplink/stream.ts";
import { ANSWERS_QUEUE, makeUplink } from "./uplink/uplink.ts";
import { View } from "./view.ts";
import { WebhookRegistry } from "./webhooks/registry.ts";
import { resealAll, type StoredWebhook, sealedRecords } from "./webhooks/sealed.ts";
import { WebhookService } from "./webhooks/service.ts";

export interface Bridge {
  /** Where the API listens, e.g. `http://127.0.0.1:8080`. */
  address: string;
  /** The broker's address, without credentials. */
  broker: { url: string; embedded: boolean; wantedPort: boolean };
  store: "redis" | "embedded";
  /** Ends everything in order; at most about 15 s. Idempotent. */
  stop(): Promise<void>;
}

/** Received and not yet durable: about ten flushes, and what a small machine can hold. */
const RECEIVE_LIMITS = { maxPending: 5_000, maxPendingBytes: 64 * 1024 * 1024 };
/** Answers of requests: written down at once, and again until that works. */
const ANSWERS_WORKER = {
  concurrency: 10,
  lockDuration: 15_000,
  stalledInterval: 10_000,
  maxStalledCount: 1_000_000,
  removeOnComplete: { count: 100 },
  removeOnFail: { count: 100 },
  settings: { backoffStrategy: () => 1_000 },
};
/** How long the outbox waits for a subscription before it looks at its message again. */
const GATE_MS = 5_000;
/** How long the start waits for the broker before it says that it is up. */
const BROKER_WAIT_MS = 2_000;
/** A store that is away is looked for at least every second. */
const STORE_RETRY = { "retry-after": "1" };
/** How long each part may take to end, in the order of ending; together less than the 15 s of the process. */
const STOP_MS = { app: 1_500, canary: 500, intake: 3_000, delivery: 7_500, replays: 500, outbox: 500, rest: 250 };

/**
 * @param signal gives up waiting for a store that is not there
 * @param breaker for tests, which have no ten minutes
 */
export async function startBridge(
  config: Config,
  apiKey: string,
  { logger: log, wide }: { logger: FastifyBaseLogger; wide: WideLine },
  signal?: AbortSignal,
  breaker: BreakerPolicy = BREAKER,
): Promise<Bridge> {
  const { dataDir, maxPayloadBytes, mqtt } = config;
  const closing = new Closing(log, STOP_MS.rest);
  const stop = () => closing.closeAll();
  const onStop = closing.add.bind(closing);

  try {
    // What must last, and who we are among those who share it.
    const instance = await claimInstance(dataDir);
    onStop("instance", () => instance.release());
    const store = await openStore({ storeUrl: config.storeUrl, dataDir, log, signal });
    onStop("store", () => store.close());

    // The broker: theirs, or our own.
    const embedded = mqtt.url ? undefined : await startEmbeddedBroker({ ...config.broker, dataDir, log });
    if (embedded) onStop("broker", () => embedded.close());
    const broker = embedded
      ? { ...config.broker, url: embedded.url, protocol: "3.1.1" as const }
      : { ...mqtt, url: mqtt.url! };

    // What is secret in it.
    const secrets = await openSecrets({
      keys: config.secretsKeys,
      ...(store.kind === "embedded" && { embeddedIn: dataDir }),
    });
    for (const warning of secrets.warnings) log.warn({ warning }, "store_warning");
    const webhookRecords = store.records<StoredWebhook>("webhooks");
    const resealed = await resealAll(webhookRecords, secrets.ring);
    if (resealed > 0) log.info({ webhooks: resealed }, "secrets_sealed");

    // What is seen from outside.
    const registry = new WebhookRegistry(sealedRecords(webhookRecords, secrets.ring), log);
    const metrics = makeMetrics();
    const observer = makeObserver({ log, wide }, metrics, () => registry.size);

    // HTTP → MQTT.
    const suffix = randomUUID().slice(0, 8);
    const publisher = new Publisher({ broker, clientId: `${mqtt.clientId}-publish-${suffix}`, log });
    onStop("publisher", () => publisher.close());
    const outage = () =>
      publisher.connection.connected ? undefined : (publisher.connection.lastError ?? "not connected yet");
    const reader = retainedReader({ broker, clientId: `${mqtt.clientId}-read-${suffix}`, log, outage });
    const findRetained = retainedFinder({
      broker,
      clientId: `${mqtt.clientId}-list-${suffix}`,
      log,
      outage,
      protocol: () => protocolName(publisher.connection.protocol),
    });
    onStop("reader", () => reader.close());
    const publish = (message: OutgoingMessage): Promise<PublishResult> => {
      const startedAt = performance.now();
      return publisher.publish(message).then((result) => {
        observer.published(message, result, startedAt);
        return result;
      });
    };

    const outbox = makeOutbox({
      openQueue: (name) => store.queues.queue(name),
      openWorker: (name, processor, options) => store.queues.worker(name, processor, options),
      exclusive: store.kind === "embedded",
      publish,
      broker: {
        connected: () => publisher.connection.connected,
        untilConnected: (signal) => publisher.connection.untilConnected(signal),
      },
      gates: {
        [ANSWERS_GATE]: async () => {
          if (await uplink.untilInStep(GATE_MS)) return;
          throw new Error("the subscription for the answer does not stand yet");
        },
      },
      onAccepted: observer.accepted,
      onTrouble: (_message, error) => observer.partFailed("outbox", new Error(error)),
    });
    onStop("outbox", () => outbox.stop(), STOP_MS.outbox);
    const requestView = new View(store.records<RequestRecord>("requests"), log, "request");
    const storedRequests = new StoredRequests({
      view: requestView,
      responses: store.records("responses"),
      accept: outbox.accept,
      onTopics: () => uplink.refresh(),
      onLate: observer.lateAnswer,
      maxPending: config.maxPendingRequests,
    });

    // MQTT → HTTP.
    const guard = makeAddressGuard({ allow: config.webhookAllowNetworks });
    const senders = makeSenders({ guard });
    onStop("sender", () => senders.close(0));
    const lanes = new View(store.records<LaneRecord>("lanes"), log, "lane");
    const expressions = makeExpressions({ maxPayloadBytes });
    onStop("expressions", () => expressions.close());
    const prepare = makePrepare({ expressions, eventSource: config.eventSource });
    const endpoints = new View<EndpointRecord>(store.records("endpoints"), log, "endpoint");
    const openLease = (name: string) => (callbacks: { onGained(): void; onLost(): void }) =>
      new Lease({
        leases: store.leases,
        name,
        holder: instance.name,
        onError: (error) => observer.partFailed("lease", error),
        ...callbacks,
      });
    const ordered = new Ordered(openLease("ordered"));
    const uplink = makeUplink<UplinkSession>({
      registry,
      endpoints,
      breaker,
      publishEvent: (event) => outbox.accept(event),
      assignments: store.records("subscriptions"),
      lanes,
      openLease: openLease(`lane-${LANE}`),
      openQueue: (name) => store.queues.queue(name),
      openWorker: (name, processor, options) => store.queues.worker(name, processor, options),
      openSession: ({ index, ...callbacks }, receive) =>
        new UplinkSession({
          broker,
          clientId: `${mqtt.clientId}-uplink-${index}`,
          name: "uplink",
          persistent: true,
          limits: RECEIVE_LIMITS,
          log,
          receive: (packet, done) => receive(packet as Parameters<typeof receive>[0], done),
          ...callbacks,
        }),
      send: makeAuthorizedSend(senders.send),
      prepare,
      eventSource: config.eventSource,
      answerTopics: () => storedRequests.topics,
      reloadAnswerTopics: () => requestView.reload(),
      acceptReply: async (reply) => void (await outbox.accept({ ...reply, qos: 1, retain: false })),
      tails: store.claims,
      ordered,
      maxPayloadBytes,
      maxWaiting: config.maxWaitingDeliveries,
      claims: store.claims,
      counters: store.counters,
      observe: observer,
    });
    const replays = new Replays({
      records: store.records("replays"),
      running: store.records("replays-running"),
      openQueue: (name) => store.queues.queue(name),
      openWorker: (name, processor, options) => store.queues.worker(name, processor, options),
      exists: (webhookId) => registry.get(webhookId) !== undefined,
      openDeliveries: (webhookId) => store.queues.queue(queueName(webhookId)),
      onFailed: (error) => observer.partFailed("replays", error),
    });
    await Promise.all([registry.start(), lanes.start()]);
    onStop("registry", () => registry.stop());
    onStop("lanes", () => lanes.stop());
    await endpoints.start();
    onStop("endpoints", () => endpoints.stop());
    onStop("ordered", () => ordered.stop());
    onStop("delivery", () => uplink.stopDelivery(), STOP_MS.delivery);
    onStop("intake", () => uplink.stopIntake(), STOP_MS.intake);
    await requestView.start();
    onStop("requests", () => requestView.stop());
    storedRequests.start();
    await uplink.start();
    await ordered.start();
    const { findRetained: find, readSeveral } = embedded ?? { findRetained, readSeveral: reader.readSeveral };
    const snapshots = new Snapshots({
      webhooks: () => registry.all(),
      findRetained: find,
      readSeveral,
      ...uplink,
      done: async (id) => void (await registry.update(id, (webhook) => ({ ...webhook, snapshot: "done" }))),
      claims: store.claims,
      maxPayloadBytes,
      observe: observer,
    });
    registry.onChange(() => snapshots.refresh());
    snapshots.refresh();
    onStop("snapshots", async () => snapshots.stop());
    await outbox.start();
    replays.start();
    onStop("replays", () => replays.stop(), STOP_MS.replays);
    const answers = store.queues.worker<DeliveryJob>(
      ANSWERS_QUEUE,
      (job) => storedRequests.answered(fromStored(job.id!, job.data)),
      ANSWERS_WORKER,
    );
    onStop("answers", async () => {
      storedRequests.stop();
      await answers.close();
    });

    // Messages as they come.
    const feed = new Feed<UplinkSession>({
      outage,
      openSession: ({ index, ...callbacks }, receive) =>
        new UplinkSession({
          broker,
          clientId: `${mqtt.clientId}-live-${suffix}-${index}`,
          name: "live",
          persistent: false,
          limits: RECEIVE_LIMITS,
          log,
          receive: (packet, done) => receive(packet as Parameters<typeof receive>[0], done),
          ...callbacks,
        }),
      onError: (error) => observer.partFailed("subscriptions", error),
    });
    onStop("feed", () => feed.close());
    const listen: Feed<UplinkSession>["listen"] = (topics, onMessage) => feed.listen(topics, onMessage);
    const streams = new Streams({ listen, eventSource: config.eventSource, onDropped: observer.streamDropped });
    const requests = new Requests({
      publish,
      listen,
      maxPending: config.maxPendingRequests,
      onLate: observer.lateAnswer,
    });
    const canary = makeCanary(store.queues);
    onStop("canary", () => canary.close(), STOP_MS.canary);

    // Operations.
    const parts = { instance: instance.name, store, publisher, uplink, registry, canary, outbox };
    const readiness = makeReadiness(makeProbes(parts));
    addGauges(metrics, () => queueDepths(parts));

    // Who may call.
    const keyView = new View(store.records<KeyRecord>("keys"), log, "key");
    const keys = new Keys({ view: keyView });
    await keyView.start();
    onStop("keys", () => keyView.stop());
    const first = bearerCheck(apiKey);
    const authenticate: Authenticate = (bearer) => first(bearer) ?? keys.authenticate(bearer);

    // The API.
    const app = await buildApp({
      handlers: makeHandlers({
        publish,
        outbox,
        readRetained: embedded ? embedded.retained : reader.read,
        readSeveral,
        findRetained: find,
        deliveries: uplink,
        replays,
        webhooks: new WebhookService({
          registry,
          rules: {
            urlError: (url) => guard.checkUrlResolved(url),
            headerError,
            secretError,
            expressionError: expressions.syntaxError,
          },
          newSecret,
          deliveries: uplink,
          owner: {
            origin: originName(config.publicUrl, config.eventSource),
            ask: makeAsk({ send: senders.send, publicUrl: config.publicUrl, onAsked: observer.askedOwner }),
          },
          untilInStep: async (ms) => publisher.connection.connected && (await uplink.untilInStep(ms)),
        }),
        preview: makePreview({ prepare, eventSource: config.eventSource }),
        keys,
        streams,
        requests,
        storedRequests,
        isValid: (request) => isGood(request, authenticate),
        protocol: () => protocolName(publisher.connection.protocol),
        responseTopic: `causeway/responses/${suffix}/${PLACEHOLDER}`,
        readiness,
        status: makeStatus({
          ...parts,
          warnings: secrets.warnings,
          broker: { url: redactUrl(broker.url), embedded: embedded !== undefined },
        }),
        metrics: async () => ({ contentType: metrics.registry.contentType, text: await metrics.registry.metrics() }),
        maxPayloadBytes,
      }),
      authenticate,
      maxPayloadBytes,
      claims: store.claims,
      explain: (error) =>
        store.isOutage(error)
          ? new Problem("store_unavailable", "the store cannot be used now", { headers: STORE_RETRY, cause: error })
          : undefined,
      logger: log,
      isClosing: () => closing.begun,
    });
    onStop("http", () => app.close(), STOP_MS.app);
    onStop("streams", async () => streams.close());
    const address = await app.listen({ host: config.http.host, port: config.http.port });
    // So that what a person tries first works; a broker that is away must not hold up the start.
    const soon = AbortSignal.timeout(BROKER_WAIT_MS);
    await publisher.connection
      .untilConnected(soon)
      .catch(() => log.warn({ broker: redactUrl(broker.url) }, "broker_away"));
    return {
      address,
      broker: {
        url: redactUrl(broker.url),
        embedded: embedded !== undefined,
        wantedPort: embedded?.wantedPort ?? true,
      },
      store: store.kind,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
