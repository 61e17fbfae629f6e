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
import { OrderedAdder, type OrderedAdderOptions, type PlacedJob } from "./order-enqueue.ts";
import { makeReply, type ReplyOptions } from "./reply.ts";
import { type AssignmentRecords, type Session, type SessionCallbacks, Subscriptions } from "./subscriptions.ts";
import { Workers, type WorkersOptions } from "./workers.ts";

export interface UplinkOptions<S extends Session>
  extends Pick<WorkersOptions, "openWorker" | "send" | "eventSource" | "ordered"> {
  registry: WebhookRegistry;
  assignments: AssignmentRecords;
  openQueue(name: string): Queue<DeliveryJob>;
  openSession(callbacks: SessionCallbacks, receive: (packet: ReceivedPacket, done: () => void) => void): S;
  /** Where the answers of requests are expected; they go into the queue {@link ANSWERS_QUEUE}. */
  answerTopics(): readonly string[];
  /** The ends of the lines of ordered webhooks. */
  tails: OrderedAdderOptions["tails"] & { releaseIf(key: string, value: string): Promise<void> };
  /** Numbers that last, in groups named `webhook-<id>`. */
  counters: {
    add(group: string, deltas: Record<string, number>): Promise<Record<string, number>>;
    remove(group: string): Promise<void>;
  };
  maxPayloadBytes: number;
  /** Makes the reply of a receiver durable; it is published as soon as the broker is there. */
  acceptReply: ReplyOptions["accept"];
  observe: ReplyOptions["observe"] & {
    received(outcome: IntakeOutcome, message: Message, webhookIds: string[]): void;
    attempted: WorkersOptions["observe"];
    flushed(durationMs: number): void;
    /** A part failed and is tried again by itself. */
    partFailed(part: "enqueue" | "subscriptions", error: Error): void;
    forget(webhookId: string): void;
  };
}

/** Stands for the requests among the webhooks: the same way, up to the queue. */
const ANSWERS = "answers";
export const ANSWERS_QUEUE = queueName(ANSWERS);
const ANSWERS_QOS = 1;

const countersOf = (webhookId: string) => `webhook-${webhookId}`;

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

  const addJobs = async (webhookId: string, jobs: PlacedJob[]) => {
    await queueOf(webhookId).addBulk(
      jobs.map(({ id, data, delay }) => ({
        name: "message",
        data,
        opts: { ...JOB_OPTIONS, jobId: id, ...(delay && { delay }) },
      })),
    );
  };
  const ordering = (webhookId: string) => registry.get(webhookId)?.ordering ?? "none";
  const isThere = async (webhookId: string, id: string) => (await queueOf(webhookId).getJobState(id)) !== "unknown";
  const ordered = new OrderedAdder({
    ordering,
    addJobs,
    count: async (webhookId, sequence) => (await options.counters.add(countersOf(webhookId), { sequence })).sequence!,
    isThere,
    tails: options.tails,
  });

  const enqueuer = new Enqueuer({
    addJobs: (webhookId, jobs) =>
      ordering(webhookId) === "none" && !ordered.isAdding(webhookId)
        ? addJobs(webhookId, jobs)
        : ordered.add(webhookId, jobs),
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

  const workers = new Workers({
    webhooks: () => registry.all(),
    webhook: (id) => registry.get(id),
    openWorker: options.openWorker,
    send: options.send,
    eventSource: options.eventSource,
    maxPayloadBytes: options.maxPayloadBytes,
    reply: makeReply({ accept: options.acceptReply, observe }),
    observe: observe.attempted,
    queue: queueOf,
    releaseTail: ({ key, value }) => options.tails.releaseIf(key, value),
    ordered: options.ordered,
    disable: async (webhookId, reason) => {
      const at = new Date().toISOString();
      await registry.update(webhookId, (webhook) => ({ ...webhook, disabled: { at, reason }, updatedAt: at }));
    },
  });

  async function forget(webhookId: string): Promise<void> {
    observe.forget(webhookId);
    ordered.forget(webhookId);
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
      await subscriptions.start();
    },

    /** The topics of answers have changed. */
    refresh: () => subscriptions.refresh(),
    sessions: () => subscriptions.sessions,
    /** Whether the broker subscribes us to exactly what the registrations want. */
    inStep: () => subscriptions.inStep,
    untilInStep: (timeoutMs: number) => subscriptions.untilInStep(timeoutMs),
    /** Resolves once the delivery is durable. */
    enqueue(message: Message, webhookId: string): Promise<void> {
      return new Promise((resolve) =>
        enqueuer.add(message, [webhookId], () => {
          observe.received("enqueued", message, [webhookId]);
          resolve();
        }),
      );
    },
    /** Whether there is a delivery with this id, in whatever state. */
    isThere,
    /** Milliseconds since the oldest batch under way began to be written. */
    oldestFlushMs: () => enqueuer.oldestFlushMs,

    count: (webhookId: string) => countDeliveries(queueOf(webhookId)),
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
      await Promise.allSettled([...queues.values()].map((queue) => queue.close()));
    },
  };
}
