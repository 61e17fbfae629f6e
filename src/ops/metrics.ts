/** The Prometheus metrics of `/metrics`. */
import { collectDefaultMetrics, Gauge, type Metric, Registry } from "prom-client";
import type { Books } from "./books.ts";
import { counter as newCounter, histogram as newHistogram } from "./tally.ts";

/** With more webhooks, their label stays empty: one label value per webhook would let the page grow without limit. */
export const MAX_LABELLED_WEBHOOKS = 100;

const LATENCY_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 60];

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counter = (name: string, help: string, label?: string) =>
    newCounter({ registry, name: `causeway_${name}`, help, ...(label && { label }) });
  const histogram = (name: string, help: string, label?: string) =>
    newHistogram({ registry, name: `causeway_${name}`, help, ...(label && { label }) }, LATENCY_SECONDS);

  return {
    registry,
    received: counter("messages_received_total", "Messages received from the broker"),
    receivedBytes: counter("messages_received_bytes_total", "Bytes of payload received from the broker"),
    matched: counter("messages_matched_total", "Messages that matched at least one webhook"),
    unmatched: counter("messages_unmatched_total", "Messages that matched no webhook or were not taken", "reason"),
    otherCopies: counter("message_copies_skipped_total", "Further copies of a message on overlapping filters"),
    enqueued: counter("deliveries_enqueued_total", "Deliveries made durable, one a message and webhook", "webhook"),
    flushFailures: counter("enqueue_failures_total", "Batches the store refused; each is tried again"),
    delivered: counter("deliveries_succeeded_total", "Deliveries answered with 2xx", "webhook"),
    filtered: counter("deliveries_filtered_total", "Deliveries left out by the webhook's filter", "webhook"),
    failed: counter("deliveries_failed_total", "Deliveries given up after the last retry", "webhook"),
    discarded: counter("deliveries_discarded_total", "Deliveries dropped unsent, too old or too many", "webhook"),
    attempts: counter("delivery_attempts_total", "Calls of webhooks by what came of them", "outcome"),
    transitions: counter("webhook_transitions_total", "Webhooks that began to fail, recovered, were disabled", "event"),
    events: counter("events_total", "Events of the bridge itself that were stored for webhooks", "event"),
    eventsSuppressed: counter(
      "events_suppressed_total",
      "Dead letters without an event of their own: too many a minute",
    ),
    published: counter("messages_published_total", "Messages published for the API by outcome", "outcome"),
    accepted: counter("messages_accepted_total", "Messages stored to be published later, by outcome", "outcome"),
    lateAnswers: counter("request_answers_late_total", "Answers of devices that no request waited for any more"),
    hookCalls: counter("hook_calls_total", "Calls of inbound hooks by what came of them", "outcome"),
    streamsDropped: counter("streams_dropped_total", "Streams ended because their reader was too slow"),
    enqueueSeconds: histogram("enqueue_duration_seconds", "From the first message of a batch to its durability"),
    attemptSeconds: histogram("delivery_attempt_duration_seconds", "One call of a webhook", "webhook"),
    deliverySeconds: histogram(
      "delivery_latency_seconds",
      "From receiving a message to the 2xx of a webhook",
      "webhook",
    ),
    publishSeconds: histogram("publish_duration_seconds", "From the request to the broker's acknowledgement"),
  };
}

/** The page of `/metrics`. @param own ids of the only webhooks whose series it shows; absent: all series */
export async function metricsPage({ registry }: Metrics, own?: readonly string[]): Promise<string> {
  if (!own) return registry.metrics();
  const ids = new Set<unknown>(own);
  const page = new Registry();
  for (const metric of await registry.getMetricsAsJSON()) {
    const values = metric.values.filter(({ labels }) => ids.has(labels.webhook));
    const get = async () => ({ ...metric, values });
    if (values.length > 0) page.registerMetric({ ...metric, get } as unknown as Metric);
  }
  return page.metrics();
}

/** Values of the gauges. */
export interface GaugeReading {
  waiting: { webhook: string; pending: number; retrying: number; active: number; failed: number }[];
  uplinkPending: number;
  outboxWaiting: number;
  up: Record<string, boolean>;
  webhooks: number;
  failing: number;
  books: Books | undefined;
}

/** Registers gauges that are read with the page: waiting and active deliveries, and whether the parts are up. */
export function addGauges({ registry }: Metrics, read: () => Promise<GaugeReading>): void {
  let reading: Promise<void> | undefined;
  const gauges = createGauges(registry, () => {
    // Every gauge waits for it: the page reads all gauges at once, and one that does not wait has the previous value.
    reading ??= read()
      .then((values) => setGauges(gauges, values))
      .finally(() => {
        reading = undefined;
      });
    return reading;
  });
}

type Gauges = ReturnType<typeof createGauges>;

function createGauges(registry: Registry, collect: () => Promise<void>) {
  const gauge = (name: string, help: string, ...labelNames: string[]) =>
    new Gauge({ name: `causeway_${name}`, help, labelNames, registers: [registry], collect });
  return {
    depth: gauge("deliveries", "Deliveries in the queues by status", "webhook", "status"),
    inFlight: gauge("uplink_unacknowledged", "Messages received and not yet durable"),
    outbox: gauge("outbox_waiting", "Stored messages that are not published yet, scheduled ones included"),
    up: gauge("up", "1 when the part works", "part"),
    registered: gauge("webhooks", "Registered webhooks"),
    failing: gauge("webhooks_failing", "Webhooks whose last ten attempts or more have failed"),
    messages: gauge(
      "books_messages",
      "Messages since the store began, of all instances: received = unmatched + enqueued",
      "column",
    ),
    deliveries: gauge(
      "books_deliveries",
      "Deliveries since the store began, of all instances: enqueued = succeeded + failed + waiting + discarded",
      "column",
    ),
  };
}

function setGauges(gauges: Gauges, { waiting, up, books, ...reading }: GaugeReading): void {
  // While the store is unavailable the lines are missing instead of outdated.
  gauges.messages.reset();
  gauges.deliveries.reset();
  if (books) {
    const { received, unmatched, enqueued } = books.messages;
    for (const [column, n] of Object.entries({ received, unmatched, enqueued })) gauges.messages.set({ column }, n);
    for (const [column, n] of Object.entries(books.deliveries)) gauges.deliveries.set({ column }, n);
  }
  gauges.registered.set(reading.webhooks);
  gauges.failing.set(reading.failing);
  gauges.inFlight.set(reading.uplinkPending);
  gauges.outbox.set(reading.outboxWaiting);
  for (const [part, works] of Object.entries(up)) gauges.up.set({ part }, works ? 1 : 0);
  gauges.depth.reset();
  for (const { webhook, ...byStatus } of waiting) {
    for (const [status, count] of Object.entries(byStatus)) gauges.depth.inc({ webhook, status }, count);
  }
}
