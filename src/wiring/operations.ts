/** Health, status and metrics, which every process serves. */
import type { OperationsPorts } from "../api/operations.ts";
import { redactUrl } from "../config/config.ts";
import { settingsOf } from "../config/settings.ts";
import { Canary, createReadiness } from "../ops/health.ts";
import { addGauges, metricsPage } from "../ops/metrics.ts";
import { SeriesReader } from "../ops/series/reader.ts";
import { createProbes, createStatus, queueDepths } from "../ops/status.ts";
import { visibleIds } from "../webhooks/access.ts";
import type { BrokerAccess } from "./broker.ts";
import type { ConfigurationPart } from "./configuration.ts";
import type { DeliverParts } from "./deliver.ts";
import type { DownlinkParts } from "./downlink.ts";
import type { Infrastructure } from "./infrastructure.ts";
import type { QueueParts } from "./queues.ts";
import type { ReceiveParts } from "./receive.ts";

export type OperationsParts = ReturnType<typeof wireOperations>;

export function wireOperations(
  { config, runs, instance, store, broker, embedded, registry, metrics, warnings }: Infrastructure,
  { publisher }: BrokerAccess,
  { deliveries }: QueueParts,
  { election, ledger }: ReceiveParts,
  { outbox }: DownlinkParts,
  { watch }: DeliverParts,
  configuration: ConfigurationPart,
) {
  const { connection } = publisher;
  const canary = new Canary(store.queues);
  const receiver = election;
  const ledgers = { messages: ledger, deliveries: store.ledgers };
  const address = { url: redactUrl(broker.url), embedded: embedded !== undefined };
  const operations: OperationsPorts = {
    readiness: createReadiness(createProbes({ runs, connection, store, receiver, canary })),
    status: createStatus({
      ...{ instance, roles: config.roles, runs, connection, broker: address, store, warnings },
      granted: () => publisher.granted,
      ...{ receiver, webhooks: registry, ledgers, settings: settingsOf(config), configuration },
    }),
    metrics: async (own) => ({ contentType: metrics.registry.contentType, text: await metricsPage(metrics, own) }),
    webhooks: { visible: (caller) => visibleIds(registry.all(), caller) },
  };
  const { health } = watch;
  const series = new SeriesReader({ series: store.series });
  addGauges(metrics, () =>
    queueDepths({ runs, connection, store, receiver, webhooks: registry, deliveries, health, outbox, ledgers }),
  );
  return { canary, operations, series };
}
