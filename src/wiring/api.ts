/** The HTTP API: keys, handlers and the server. */

import { createExplain } from "../api/explain.ts";
import { createHandlers } from "../api/handlers.ts";
import { operationsHandlers } from "../api/operations.ts";
import { outcomeOf } from "../downlink/publish.ts";
import { PLACEHOLDER } from "../downlink/request.ts";
import { SenderDeliveries } from "../hooks/deliveries.ts";
import { HookExpressions } from "../hooks/evaluation.ts";
import { HookCalls } from "../hooks/hook-calls.ts";
import { HookLimits } from "../hooks/limits.ts";
import { HookService } from "../hooks/service.ts";
import { bearerCheck, eitherOf, isGood } from "../http/auth.ts";
import { PortalLinks } from "../http/portal-links.ts";
import { HttpServer } from "../http/server.ts";
import { Sessions } from "../http/sessions.ts";
import { type Caller, ROOT } from "../keys/caller.ts";
import type { KeyRecord } from "../keys/key.ts";
import { Keys } from "../keys/keys.ts";
import { SignInLimit } from "../keys/sign-in-limit.ts";
import { createHookObserver } from "../ops/observe-hooks.ts";
import { ExternalIds, type Reservation } from "../store/external-ids.ts";
import { RecordCache } from "../store/record-cache.ts";
import { createPreview } from "../uplink/deliver/preview.ts";
import { createConsentRequest, originName } from "../uplink/egress/ownership-check.ts";
import { TestEvents } from "../uplink/events/test-event.ts";
import { FROM_API } from "../uplink/expressions/sandbox.ts";
import { headerError } from "../uplink/request/headers.ts";
import { newSecret, secretError } from "../uplink/request/signature.ts";
import { WebhookService } from "../webhooks/service.ts";
import type { BrokerAccess } from "./broker.ts";
import type { DeliverParts } from "./deliver.ts";
import type { DownlinkParts } from "./downlink.ts";
import type { Infrastructure } from "./infrastructure.ts";
import type { LiveParts } from "./live.ts";
import type { OperationsParts } from "./operations.ts";
import type { QueueParts } from "./queues.ts";
import type { ReceiveParts } from "./receive.ts";

export interface Served {
  infrastructure: Infrastructure;
  broker: BrokerAccess;
  queues: QueueParts;
  receive: ReceiveParts;
  downlink: DownlinkParts;
  deliver: DeliverParts;
  live: LiveParts;
  operations: OperationsParts;
}

export type ApiParts = ReturnType<typeof wireApi>;

/** @param isClosing true once the process stops: every request then gets a 503 */
export function wireApi(served: Served, apiKey: string, isClosing: () => boolean) {
  const { config, runs, log, store, registry, suffix } = served.infrastructure;
  const { broker, queues, downlink, deliver, live } = served;
  const { operations, series } = served.operations;
  const { maxPayloadBytes } = config;
  const keyCache = new RecordCache(store.records<KeyRecord>("keys"), log, "key");
  const keys = new Keys({ cache: keyCache });
  const authenticate = eitherOf(bearerCheck(apiKey), (bearer) => keys.authenticate(bearer));
  const sessions = new Sessions({
    expiringKeys: store.expiringKeys,
    callerOf: (id) => (id === ROOT.id ? ROOT : keys.callerOf(id)),
    firstKey: apiKey,
  });
  const authentication = { authenticate, sessions };
  const explain = createExplain((error) => store.isOutage(error));

  const handlers = () =>
    createHandlers({
      ...{ publish: broker.publish, protocol: broker.protocol, outbox: downlink.outbox },
      ...{ readRetained: broker.readRetained, readSeveral: broker.readSeveral, findRetained: broker.findRetained },
      ...{ syncRequests: live.syncRequests, asyncRequests: downlink.asyncRequests, streams: live.streams },
      responseTopic: `causeway/responses/${suffix}/${PLACEHOLDER}`,
      webhooks: wireWebhooks(served),
      ...wireHooks(served, keys),
      preview: createPreview({ prepare: deliver.prepare, eventSource: config.eventSource }),
      ...{ deliveries: queues.deliveries, replays: deliver.replays, pulls: deliver.pulls, keys },
      series,
      ...{ readiness: operations.readiness, status: operations.status, metrics: operations.metrics },
      registrations: () => registry.all(),
      isValid: (request) => isGood(request, authentication),
      ...authentication,
      signInLimit: new SignInLimit(),
      portalLinks: new PortalLinks({ expiringKeys: store.expiringKeys }),
      ...{ isEmbedded: config.http.embedOrigins.length > 0, publicUrl: config.publicUrl },
      portal: { hasLogo: config.portal.logo !== undefined, accent: config.portal.accent },
      ...{ maxPayloadBytes, explain },
    });
  const roles = config.roles.join();
  const server = new HttpServer({
    handlers: runs.api ? handlers() : operationsHandlers(operations),
    absent: runs.api ? undefined : `this process has ROLES=${roles}; the API is served by those with api`,
    ...authentication,
    ...{ isClosing, explain, maxPayloadBytes, expiringKeys: store.expiringKeys, logger: log },
    ...config.http,
    portalLogo: config.portal.logo,
  });
  return { keyCache, server };
}

function wireHooks({ infrastructure, broker, downlink, deliver }: Served, keys: Keys) {
  const { config, log, store, hooks, metrics } = infrastructure;
  const { expressions } = deliver;
  const of = (rights: (id: string) => Caller | undefined) => (id: string) => (id === ROOT.id ? ROOT : rights(id));
  const hookCalls = new HookCalls({
    hooks,
    rightsOf: of((id) => keys.callerOf(id)),
    expressions: new HookExpressions((key, expression, document) => expressions.evaluate(key, expression, document)),
    deliveries: new SenderDeliveries(store.expiringKeys),
    limits: new HookLimits(),
    failures: new SignInLimit(),
    publish: async (message) => outcomeOf(message, await broker.publish(message)),
    store: downlink.outbox.accept,
    maxPayloadBytes: config.maxPayloadBytes,
    observe: createHookObserver(log, metrics),
  });
  const service = new HookService({
    hooks,
    externalIds: new ExternalIds({
      field: "hookId",
      records: store.records<Reservation<"hookId">>("hook-external-ids"),
      registry: hooks,
    }),
    rightsOf: of((id) => keys.rightsOf(id)),
    expressionError: (text) => expressions.syntaxError(text),
    previewExpressions: new HookExpressions(
      (callerId, expression, document) => expressions.evaluate(FROM_API + callerId, expression, document),
      true,
    ),
    maxPayloadBytes: config.maxPayloadBytes,
  });
  return { hooks: service, hookCalls };
}

function wireWebhooks({ infrastructure, broker, queues, receive, deliver }: Served) {
  const { config, store, registry, observer } = infrastructure;
  const { connection } = broker.publisher;
  const { election } = receive;
  const { guard, expressions, senders, watch } = deliver;
  const { publicUrl } = config;
  return new WebhookService({
    registry,
    externalIds: new ExternalIds({
      field: "webhookId",
      records: store.records<Reservation>("external-ids"),
      registry,
    }),
    rules: {
      urlError: (url) => guard.checkUrlResolved(url),
      headerError,
      secretError,
      expressionError: (text) => expressions.syntaxError(text),
    },
    newSecret,
    deliveries: queues.deliveries,
    health: watch.health,
    tests: new TestEvents({ queues: queues.queues, observe: observer }),
    owner: {
      origin: originName(publicUrl, config.eventSource),
      ask: createConsentRequest({ send: senders.send, publicUrl, onAsked: observer.askedOwner }),
    },
    untilSynchronized: async (ms) => connection.connected && (await election.untilSynchronized(ms)),
    refused: () => election.refusedFilters(),
  });
}
