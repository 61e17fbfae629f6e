/**
 * The uplink as one piece: registrations → subscriptions → intake → queues → workers. Everything it needs from outside
 * comes as a function or a narrow port.
 */
import { randomUUID } from "node:crypto";
import type { Queue } from "bullmq";
import type { Message } from "../message.ts";
import type { WebhookRegistry } from "../webhooks/registry.ts";
import { retryDelivery } from "./again.ts";
import { countDeliveries, getDelivery, listDeliveries } from "./deliveries.ts";
import { type DeliveryJob, JOB_OPTIONS, queueName } from "./delivery.ts";
import { Enqueuer } from "./enqueue.ts";
import { type IntakeOutcome, makeIntake, type ReceivedPacket } from "./intake.ts";
import { Retention, type RetentionOptions } from "./retention.ts";
import { type AssignmentRecords, type Session, type SessionCallbacks, Subscriptions } from "./subscriptions.ts";
import { Workers, type WorkersOptions } from "./workers.ts";

export interface UplinkOptions<S extends Session> extends Pick<WorkersOptions, "openWorker" | "send" | "eventSource"> {
  registry: WebhookRegistry;
  assignments: AssignmentRecords;
  openQueue(name: string): Queue<DeliveryJob>;
  openSession(callbacks: SessionCallbacks, receive: (packet: ReceivedPacket, done: () => void) => void): S;
  /** Where the answers of requests are expected; they go into the queue {@link ANSWERS_QUEUE}. */
  answerTopics(): readonly string[];
  maxPayloadBytes: number;
  /** How many deliveries of a webhook may wait: beyond them the oldest are discarded. */
  maxWaiting: number;
  /** Locks for what one instance at a time does. */
  claims: {
    claim(key: string, value: string, ttlSeconds: number): Promise<string | undefined>;
    releaseIf(key: string, value: string): Promise<void>;
  };
  /** Durable numbers of each webhook. */
  counters: {
    add(group: string, deltas: Record<string, number>): Promise<unknown>;
    read(group: string): Promise<Record<string, number>>;
    remove(group: string): Promise<void>;
  };
  observe: {
    received(outcome: IntakeOutcome, message: Message, webhookIds: string[]): void;
    attempted: WorkersOptions["observe"];
    flushed(durationMs: number): void;
    /** A part failed and is tried again by itself. */
    partFailed(part: "enqueue" | "subscriptions" | "retention", error: Error): void;
    discarded: RetentionObserver;
    forget(webhookId: string): void;
  };
}

type RetentionObserver = (...observed: Parameters<RetentionOptions["discarded"]>) => void;

/** Stands for the requests among the webhooks: the same way, up to the queue. */
const ANSWERS = "answers";
export const ANSWERS_QUEUE = queueName(ANSWERS);
const ANSWERS_QOS = 1;
/** An instance that dies while it drops deliveries holds the others up for so long. */
const RETENTION_SECONDS = 60;

/** Group of the counters of a webhook. */
function countersOf(webhookId: string): string {
  return `webhook-${webhookId}`;
}

export type Uplink<S extends Session> = ReturnType<typeof makeUplink<S>>;

export function makeUplink<S extends Session>(options: UplinkOptions<S>) {
  const { registry, observe } = options;
  const queues = new Map<string, Queue<DeliveryJob>>();

  function queueOf(webhookId: string): Queue<DeliveryJob> {
    const known = queues.get(webhookId);
    if (known) return known;
    const queue = options.openQueue(queueName(webhookId));
    queues.set(webhookId, queue);
    return queue;
  }

  const enqueuer = new Enqueuer({
    addJobs: async (webhookId, jobs) => {
      await queueOf(webhookId).addBulk(
        jobs.map(({ id, data }) => ({ name: "message", data, opts: { ...JOB_OPTIONS, jobId: id } })),
      );
      if (webhookId !== ANSWERS) retention.changed(webhookId, jobs.length);
    },
    exists: (webhookId) => webhookId === ANSWERS || registry.get(webhookId) !== undefined,
    onFlushed: (_deliveries, durationMs) => observe.flushed(durationMs),
    onFailed: (error) => observe.partFailed("enqueue", error),
  });

  const retention = new Retention({
    webhooks: () => registry.all().map(({ id }) => id),
    queueOf: (id) => (registry.get(id) ? queueOf(id) : undefined),
    claim: async (id) => {
      const [key, holder] = [`retention-${id}`, randomUUID()];
      if (await options.claims.claim(key, holder, RETENTION_SECONDS)) return undefined;
      return () => options.claims.releaseIf(key, holder);
    },
    discarded: async (id, count, reason) => {
      observe.discarded(id, count, reason);
      await options.counters.add(countersOf(id), { discarded: count });
    },
    onFailed: (error) => observe.partFailed("retention", error),
    maxWaiting: options.maxWaiting,
  });

  const intake = makeIntake({
    route: (topic, copy) => subscriptions.route(topic, copy),
    enqueue: (message, webhookIds, done) => enqueuer.add(message, webhookIds, done),
    maxPayloadBytes: options.maxPayloadBytes,
    observe: observe.received,
  });

  const subscriptions: Subscriptions<S> = new Subscriptions<S>({
    webhooks: () => {
      const topics = [...options.answerTopics()];
      return topics.length === 0 ? registry.all() : [...registry.all(), { id: ANSWERS, topics, qos: ANSWERS_QOS }];
    },
    records: options.assignments,
    openSession: (callbacks) => options.openSession(callbacks, (packet, done) => intake(packet, callbacks.index, done)),
    onError: (error) => observe.partFailed("subscriptions", error),
  });

  const workers = new Workers({
    webhooks: () => registry.all(),
    webhook: (id) => registry.get(id),
    openWorker: options.openWorker,
    send: options.send,
    eventSource: options.eventSource,
    observe: observe.attempted,
    ended: (id) => retention.changed(id, 1),
    disable: async (webhookId, reason) => {
      const at = new Date().toISOString();
      await registry.update(webhookId, (webhook) => ({ ...webhook, disabled: { at, reason }, updatedAt: at }));
    },
  });

  async function forget(webhookId: string): Promise<void> {
    observe.forget(webhookId);
    retention.forget(webhookId);
    const queue = queues.get(webhookId);
    queues.delete(webhookId);
    await queue?.close().catch(() => undefined);
  }

  return {
    async start(): Promise<void> {
      registry.onChange((changed) => {
        workers.refresh(changed);
        subscriptions.refresh();
        for (const id of changed) if (!registry.get(id)) void forget(id);
      });
      workers.refresh();
      retention.start();
      await subscriptions.start();
    },

    /** The topics of answers have changed. */
    refresh: () => subscriptions.refresh(),
    sessions: () => subscriptions.sessions,
    /** Whether the broker subscribes us to exactly what the registrations want. */
    inStep: () => subscriptions.inStep,
    untilInStep: (timeoutMs: number) => subscriptions.untilInStep(timeoutMs),
    /** Milliseconds since the oldest batch under way began to be written. */
    oldestFlushMs: () => enqueuer.oldestFlushMs,

    async count(webhookId: string) {
      const { discarded = 0 } = await options.counters.read(countersOf(webhookId));
      return countDeliveries(queueOf(webhookId), discarded);
    },
    get: (webhookId: string, messageId: string) => getDelivery(queueOf(webhookId), webhookId, messageId),
    retry: (webhookId: string, messageId: string) => retryDelivery(queueOf(webhookId), webhookId, messageId),
    list: (webhookId: string, query: Parameters<typeof listDeliveries>[2]) =>
      listDeliveries(queueOf(webhookId), webhookId, query),

    /** Drops everything that waits for a webhook that is gone. */
    async drop(webhookId: string): Promise<void> {
      const queue = options.openQueue(queueName(webhookId));
      try {
        await queue.obliterate({ force: true });
        await options.counters.remove(countersOf(webhookId));
      } finally {
        await queue.close().catch(() => undefined);
      }
    },

    /** Stops the intake, acknowledging what is durable. */
    async stopIntake(): Promise<void> {
      await subscriptions.stop();
      enqueuer.stop();
    },

    /** Lets calls under way finish; what the process ends before is called again. */
    async stopDelivery(): Promise<void> {
      await workers.stop();
      await retention.stop();
      await Promise.allSettled([...queues.values()].map((queue) => queue.close()));
    },
  };
}
