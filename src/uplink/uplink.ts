/**
 * The uplink as one piece: registrations → subscriptions → intake → queues → workers. Everything it needs from outside
 * comes as a function or a narrow port.
 */
import type { Queue } from "bullmq";
import type { Message } from "../message.ts";
import type { WebhookRegistry } from "../webhooks/registry.ts";
import { countDeliveries, listDeliveries } from "./deliveries.ts";
import { type DeliveryJob, JOB_OPTIONS, queueName } from "./delivery.ts";
import { Enqueuer } from "./enqueue.ts";
import { type IntakeOutcome, makeIntake, type ReceivedPacket } from "./intake.ts";
import { endRest } from "./rest.ts";
import { type AssignmentRecords, type Session, type SessionCallbacks, Subscriptions } from "./subscriptions.ts";
import { makeWatch, type WatchObserver, type WatchOptions } from "./watch.ts";
import { Workers, type WorkersOptions } from "./workers.ts";

export interface UplinkOptions<S extends Session>
  extends Pick<WorkersOptions, "openWorker" | "send" | "eventSource">,
    Pick<WatchOptions, "breaker" | "publishEvent"> {
  registry: WebhookRegistry;
  assignments: AssignmentRecords;
  endpoints: WatchOptions["endpoints"] & { onChange(listener: (changed: ReadonlySet<string>) => void): void };
  openQueue(name: string): Queue<DeliveryJob>;
  openSession(callbacks: SessionCallbacks, receive: (packet: ReceivedPacket, done: () => void) => void): S;
  /** Where the answers of requests are expected; they go into the queue {@link ANSWERS_QUEUE}. */
  answerTopics(): readonly string[];
  maxPayloadBytes: number;
  observe: WatchObserver & {
    received(outcome: IntakeOutcome, message: Message, webhookIds: string[]): void;
    attempted: WorkersOptions["observe"];
    flushed(durationMs: number): void;
    /** A part failed and is tried again by itself. */
    partFailed(part: "enqueue" | "subscriptions" | "health" | "events", error: Error): void;
    forget(webhookId: string): void;
  };
}

/** Stands for the requests among the webhooks: the same way, up to the queue. */
const ANSWERS = "answers";
export const ANSWERS_QUEUE = queueName(ANSWERS);
const ANSWERS_QOS = 1;

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

  async function addJobs(webhookId: string, jobs: { id: string; data: DeliveryJob }[]): Promise<void> {
    await queueOf(webhookId).addBulk(
      jobs.map(({ id, data }) => ({ name: "message", data, opts: { ...JOB_OPTIONS, jobId: id } })),
    );
  }

  const enqueuer = new Enqueuer({
    addJobs,
    exists: (webhookId) => webhookId === ANSWERS || registry.get(webhookId) !== undefined,
    onFlushed: (_deliveries, durationMs) => observe.flushed(durationMs),
    onFailed: (error) => observe.partFailed("enqueue", error),
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

  const watch = makeWatch({ ...options, addJobs });
  const { health } = watch;

  const workers = new Workers({
    webhooks: () => registry.all(),
    webhook: (id) => registry.get(id),
    queue: queueOf,
    openWorker: options.openWorker,
    send: options.send,
    eventSource: options.eventSource,
    observe: observe.attempted,
    health,
    deadLetter: watch.deadLetter,
  });

  async function forget(webhookId: string): Promise<void> {
    observe.forget(webhookId);
    const queue = queues.get(webhookId);
    queues.delete(webhookId);
    await queue?.close().catch(() => undefined);
  }

  return {
    async start(): Promise<void> {
      options.endpoints.onChange((changed) => workers.refresh(changed));
      registry.onChange((changed) => {
        for (const id of changed) watch.changed(id);
        workers.refresh(changed);
        subscriptions.refresh();
        for (const id of changed) if (!registry.get(id)) void forget(id);
      });
      health.start();
      workers.refresh();
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

    count: (webhookId: string) => countDeliveries(queueOf(webhookId)),
    list: (webhookId: string, query: Parameters<typeof listDeliveries>[2]) =>
      listDeliveries(queueOf(webhookId), webhookId, query),

    failingSince: (webhookId: string) => health.failingSince(webhookId),
    /** How many endpoints are failing. */
    failing: () => health.failing,

    /** The endpoint is as new: called at once, whatever was held against it. Rejects when the store is away. */
    async resetHealth(webhookId: string): Promise<void> {
      await health.reset(webhookId);
      await endRest(queueOf(webhookId));
    },

    /** Drops everything that waits for a webhook that is gone. */
    async drop(webhookId: string): Promise<void> {
      const queue = options.openQueue(queueName(webhookId));
      try {
        await queue.obliterate({ force: true });
        await queue.removeRateLimitKey();
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
      await watch.stop();
      await Promise.allSettled([...queues.values()].map((queue) => queue.close()));
    },
  };
}
