/**
 * The uplink as one piece: registrations → subscriptions → intake → queues → workers. Everything it needs from outside
 * comes as a function or a narrow port.
 */
import { randomUUID } from "node:crypto";
import type { Queue } from "bullmq";
import { type Message, toStored } from "../message.ts";
import type { View } from "../view.ts";
import type { WebhookRegistry } from "../webhooks/registry.ts";
import { retryDelivery } from "./again.ts";
import { type Books, type DeliveriesBook, MessageBook } from "./books.ts";
import { countDeliveries, getDelivery, listDeliveries } from "./deliveries.ts";
import { type DeliveryJob, JOB_OPTIONS, queueName, webhookOfQueue } from "./delivery.ts";
import { Enqueuer } from "./enqueue.ts";
import { type IntakeOutcome, makeIntake, type ReceivedPacket } from "./intake.ts";
import { Lane, type LaneOptions, type LaneRecord } from "./lane.ts";
import { OrderedAdder, type OrderedAdderOptions, type PlacedJob } from "./order-enqueue.ts";
import { Orphans } from "./orphans.ts";
import { makeReply, type ReplyOptions } from "./reply.ts";
import { endRest } from "./rest.ts";
import { Retention, type RetentionOptions } from "./retention.ts";
import { type AssignmentRecords, type Session, type SessionCallbacks, Subscriptions } from "./subscriptions.ts";
import { Tenure } from "./tenure.ts";
import { testEvent } from "./test-event.ts";
import { makeWatch, type WatchObserver, type WatchOptions } from "./watch.ts";
import { Workers, type WorkersOptions } from "./workers.ts";

export interface UplinkOptions<S extends Session>
  extends Pick<WorkersOptions, "openWorker" | "send" | "eventSource" | "prepare" | "ordered">,
    Pick<WatchOptions, "breaker" | "publishEvent"> {
  registry: WebhookRegistry;
  assignments: AssignmentRecords;
  /** What the instance that receives tells the others; started. */
  lanes: View<LaneRecord>;
  openLease: LaneOptions<S>["openLease"];
  endpoints: WatchOptions["endpoints"] & { onChange(listener: (changed: ReadonlySet<string>) => void): void };
  openQueue(name: string): Queue<DeliveryJob>;
  /** @param callbacks `mayConnect`, `mayWrite`: whether this instance is surely the one that receives */
  openSession(
    callbacks: SessionCallbacks & { mayConnect(): boolean; mayWrite(): Promise<boolean> },
    receive: (packet: ReceivedPacket, done: () => void) => void,
  ): S;
  /** Reads from the store what {@link UplinkOptions.answerTopics} go by. */
  reloadAnswerTopics(): Promise<void>;
  /** Where the answers of requests are expected; they go into the queue {@link ANSWERS_QUEUE}. */
  answerTopics(): readonly string[];
  /** The ends of the lines of ordered webhooks. */
  tails: OrderedAdderOptions["tails"] & { releaseIf(key: string, value: string): Promise<void> };
  maxPayloadBytes: number;
  /** How many deliveries of a webhook may wait: beyond them the oldest are discarded. */
  maxWaiting: number;
  /** For what one instance at a time does, also while the store has no memory left; see the store's `Leases`. */
  leases: {
    acquire(name: string, holder: string, ttlMs: number): Promise<string>;
    release(name: string, holder: string): Promise<void>;
  };
  /** Numbers that last, in groups named `webhook-<id>`. */
  counters: {
    add(group: string, deltas: Record<string, number>): Promise<Record<string, number>>;
    read(group: string): Promise<Record<string, number>>;
    remove(group: string): Promise<void>;
  };
  /** What became of deliveries, by the names of queues; see the store's `Books`. */
  books: {
    total(): Promise<DeliveriesBook>;
    of(queue: string): Promise<DeliveriesBook>;
    queues(): Promise<string[]>;
    close(queue: string): Promise<boolean>;
  };
  /** Whether there is a registration in the store, be it one that cannot be read. */
  isStored(webhookId: string): Promise<boolean>;
  /** Makes the reply of a receiver durable; it is published as soon as the broker is there. */
  acceptReply: ReplyOptions["accept"];
  observe: WatchObserver &
    ReplyOptions["observe"] & {
      received(outcome: IntakeOutcome, message: Message, webhookIds: string[]): void;
      attempted: WorkersOptions["observe"];
      filtered: WorkersOptions["filtered"];
      /** An event of the bridge itself was queued. */
      added(webhookId: string): void;
      flushed(durationMs: number): void;
      /** A part failed and is tried again by itself. */
      partFailed(
        part: "enqueue" | "subscriptions" | "retention" | "health" | "events" | "reply" | "books",
        error: Error,
      ): void;
      discarded: RetentionOptions["discarded"];
      forget(webhookId: string): void;
    };
}

/** Stands for the requests among the webhooks: the same way, up to the queue. */
const ANSWERS = "answers";
export const ANSWERS_QUEUE = queueName(ANSWERS);
const ANSWERS_QOS = 1 as const;
/** An instance that dies while it drops deliveries holds the others up for so long. */
const RETENTION_MS = 60_000;

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

  function wanted() {
    const topics = [...options.answerTopics()];
    return topics.length === 0 ? registry.all() : [...registry.all(), { id: ANSWERS, topics, qos: ANSWERS_QOS }];
  }

  const subscriptionsFailed = (error: Error) => observe.partFailed("subscriptions", error);

  async function addJobs(webhookId: string, jobs: PlacedJob[]): Promise<void> {
    await queueOf(webhookId).addBulk(
      jobs.map(({ id, data, delay }) => ({
        name: "message",
        data,
        opts: { ...JOB_OPTIONS, jobId: id, ...(delay && { delay }) },
      })),
    );
    if (webhookId !== ANSWERS) retention.changed(webhookId, jobs.length);
  }

  const ordering = (webhookId: string) => registry.get(webhookId)?.ordering ?? "none";
  const isThere = async (webhookId: string, id: string) => (await queueOf(webhookId).getJobState(id)) !== "unknown";
  const ordered = new OrderedAdder({
    ordering,
    addJobs,
    count: async (webhookId, sequence) => (await options.counters.add(countersOf(webhookId), { sequence })).sequence!,
    isThere,
    tails: options.tails,
  });

  const retention = new Retention({
    webhooks: () => registry.all().map(({ id }) => id),
    queueOf: (id) => (registry.get(id) ? queueOf(id) : undefined),
    claim: async (id) => {
      const [name, holder] = [`retention-${id}`, randomUUID()];
      if ((await options.leases.acquire(name, holder, RETENTION_MS)) !== holder) return undefined;
      return () => options.leases.release(name, holder);
    },
    discarded: observe.discarded,
    onFailed: (error) => observe.partFailed("retention", error),
    maxWaiting: options.maxWaiting,
  });

  const messages = new MessageBook({
    counters: options.counters,
    onFailed: (error) => observe.partFailed("books", error),
  });

  function openTenure(onChange: () => void): Tenure<S> {
    const mayWrite = () => lane.lease.confirm();
    const enqueuer = new Enqueuer({
      addJobs: (webhookId, jobs) =>
        ordering(webhookId) === "none" && !ordered.isAdding(webhookId)
          ? addJobs(webhookId, jobs)
          : ordered.add(webhookId, jobs),
      book: (count) => messages.enqueued(count),
      exists: (webhookId) => webhookId === ANSWERS || registry.get(webhookId) !== undefined,
      mayWrite,
      onFlushed: (_deliveries, durationMs) => observe.flushed(durationMs),
      onFailed: (error) => observe.partFailed("enqueue", error),
    });
    const intake = makeIntake({
      route: (topic, copy) => subscriptions.route(topic, copy),
      enqueue: (message, webhookIds, done) => enqueuer.add(message, webhookIds, done),
      maxPayloadBytes: options.maxPayloadBytes,
      observe: (outcome, message, webhookIds) => {
        if (outcome !== "enqueued" && outcome !== "other_copy") messages.note(outcome);
        observe.received(outcome, message, webhookIds);
      },
    });
    const subscriptions: Subscriptions<S> = new Subscriptions<S>({
      webhooks: wanted,
      records: options.assignments,
      openSession: (callbacks) =>
        options.openSession({ ...callbacks, mayConnect: () => lane.lease.isValid, mayWrite }, (packet, done) =>
          intake(packet, callbacks.index, done),
        ),
      onError: subscriptionsFailed,
      onChange,
    });
    const catchUp = async () => {
      await Promise.all([registry.reload(), options.reloadAnswerTopics()]);
    };
    return new Tenure(subscriptions, enqueuer, catchUp, subscriptionsFailed);
  }

  const lane: Lane<S> = new Lane<S>({
    openLease: options.openLease,
    view: options.lanes,
    wanted,
    openTenure,
    onError: subscriptionsFailed,
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
    prepare: options.prepare,
    observe: observe.attempted,
    ended: (id) => retention.changed(id, 1),
    filtered: observe.filtered,
    health,
    deadLetter: watch.deadLetter,
    maxPayloadBytes: options.maxPayloadBytes,
    reply: makeReply({ accept: options.acceptReply, observe }),
    releaseTail: ({ key, value }) => options.tails.releaseIf(key, value),
    ordered: options.ordered,
  });

  async function drop(webhookId: string): Promise<void> {
    const name = queueName(webhookId);
    const queue = options.openQueue(name);
    try {
      // Again where somebody who had not heard of its end yet added something meanwhile.
      do await queue.obliterate({ force: true });
      while (!(await options.books.close(name)));
      await options.counters.remove(countersOf(webhookId));
      await queue.removeRateLimitKey();
    } finally {
      await queue.close().catch(() => undefined);
    }
  }

  const orphans = new Orphans({
    queued: async () => (await options.books.queues()).map(webhookOfQueue),
    isKnown: (id) => registry.get(id) !== undefined,
    isStored: options.isStored,
    drop,
    onFailed: (error) => observe.partFailed("books", error),
  });

  async function forget(webhookId: string): Promise<void> {
    observe.forget(webhookId);
    ordered.forget(webhookId);
    retention.forget(webhookId);
    const queue = queues.get(webhookId);
    queues.delete(webhookId);
    await queue?.close().catch(() => undefined);
  }

  return {
    /** @param runs what of it this process does; whether it receives is the lease's affair */
    async start(runs: { workers: boolean; retention: boolean }): Promise<void> {
      registry.onChange((changed) => {
        for (const id of changed) watch.changed(id);
        if (runs.workers) workers.refresh(changed);
        lane.refresh();
        for (const id of changed) if (!registry.get(id)) void forget(id);
      });
      if (runs.workers) {
        options.endpoints.onChange((changed) => workers.refresh(changed));
        health.start();
        workers.refresh();
      }
      if (runs.retention) {
        retention.start();
        orphans.start();
      }
      await lane.start();
    },

    /** The topics of answers have changed. */
    refresh: () => lane.refresh(),
    /** The instance that receives, undefined while that is not known, and whether it is this one. */
    holder: () => ({ name: lane.lease.holder, here: lane.lease.held }),
    /** The sessions of this instance: none when another one receives. */
    sessions: () => lane.tenure?.subscriptions.sessions ?? [],
    /** Whether the broker subscribes the instance that receives to exactly what the registrations want. */
    inStep: () => lane.inStep,
    untilInStep: (timeoutMs: number) => lane.untilInStep(timeoutMs),
    /** Resolves once the delivery is durable, in no order with others. Rejects when the store is away. */
    async enqueue(message: Message, webhookId: string): Promise<void> {
      await addJobs(webhookId, [{ id: message.id, data: toStored(message) }]);
      messages.note("enqueued");
      observe.received("enqueued", message, [webhookId]);
    },
    /** Whether there is a delivery with this id, in whatever state. */
    isThere,
    /** Milliseconds since the oldest batch under way began to be written. */
    oldestFlushMs: () => lane.tenure?.enqueuer.oldestFlushMs ?? 0,

    async count(webhookId: string) {
      const { discarded } = await options.books.of(queueName(webhookId));
      return countDeliveries(queueOf(webhookId), discarded);
    },
    get: (webhookId: string, messageId: string) => getDelivery(queueOf(webhookId), webhookId, messageId),
    retry: (webhookId: string, messageId: string) => retryDelivery(queueOf(webhookId), webhookId, messageId),
    list: (webhookId: string, query: Parameters<typeof listDeliveries>[2]) =>
      listDeliveries(queueOf(webhookId), webhookId, query),

    /** Queues an event of the bridge itself. @returns its id */
    async sendTest(webhookId: string): Promise<string> {
      const { id, data } = testEvent(webhookId);
      await addJobs(webhookId, [{ id, data }]);
      observe.added(webhookId);
      return id;
    },

    failingSince: (webhookId: string) => health.failingSince(webhookId),
    /** How many endpoints are failing. */
    failing: () => health.failing,

    /** The endpoint is as new: called at once, whatever was held against it. Rejects when the store is away. */
    async resetHealth(webhookId: string): Promise<void> {
      await health.reset(webhookId);
      await endRest(queueOf(webhookId));
    },

    /** Drops everything that waits for a webhook that is gone. */
    drop,

    /** Of all instances that share the store. Rejects when the store is away. */
    async books(): Promise<Books> {
      const [book, deliveries] = await Promise.all([messages.read(), options.books.total()]);
      return { messages: book, deliveries };
    },

    /** Stops the intake, acknowledging what is durable, and leaves it to another instance. */
    async stopIntake(): Promise<void> {
      await lane.stop();
      await messages.stop();
    },

    /** Takes up no delivery any more and lets calls under way finish; what the process ends before is called again. */
    stopWorkers: () => workers.stop(),

    /** After intake and workers: nothing needs the queues then. */
    async close(): Promise<void> {
      await retention.stop();
      await orphans.stop();
      await watch.stop();
      await Promise.allSettled([...queues.values()].map((queue) => queue.close()));
    },
  };
}
