/** Assembles the uplink: registrations → subscriptions → intake → queues → workers. */
import { randomUUID } from "node:crypto";
import { type Message, toStored } from "../message.ts";
import { createReply } from "./deliver/reply.ts";
import { Workers } from "./deliver/workers.ts";
import { testEvent } from "./events/test-event.ts";
import { createWatch } from "./events/watch.ts";
import type { UplinkOptions } from "./options.ts";
import { GroupAppender } from "./ordering/group-append.ts";
import { isOrdered } from "./ordering/message-groups.ts";
import { countDeliveries, getDelivery, listDeliveries } from "./queue/delivery-queries.ts";
import { DeliveryQueues } from "./queue/delivery-queues.ts";
import { type PlacedJob, queueName } from "./queue/job.ts";
import { OrphanedQueues } from "./queue/orphaned-queues.ts";
import { retryDelivery } from "./queue/redelivery.ts";
import { Retention } from "./queue/retention.ts";
import { Enqueuer } from "./receive/enqueuer.ts";
import { createIntake } from "./receive/intake.ts";
import { type Books, MessageLedger } from "./receive/message-ledger.ts";
import { Receiver } from "./receive/receiver.ts";
import { ReceiverElection } from "./receive/receiver-election.ts";
import { createSubscribable } from "./receive/rejected-filters.ts";
import type { Session } from "./receive/session.ts";
import { Subscriptions } from "./receive/subscriptions.ts";

/** Pseudo webhook of the responses to requests: they take the same path, up to the queue. */
const RESPONSES = "answers";
export const RESPONSES_QUEUE = queueName(RESPONSES);
const RESPONSES_QOS = 1 as const;
/** An instance that dies while it discards deliveries blocks the other instances for this time. */
const RETENTION_MS = 60_000;

export type Uplink<S extends Session> = ReturnType<typeof createUplink<S>>;

export function createUplink<S extends Session>(options: UplinkOptions<S>) {
  const { registry, observe } = options;
  const queues = new DeliveryQueues(options);

  const subscribable = createSubscribable<ReturnType<typeof registry.all>[number]>(observe.filterSetAside);

  function wanted() {
    const topics = [...options.responseTopics()];
    const webhooks = registry.all().map(subscribable);
    return topics.length === 0 ? webhooks : [...webhooks, { id: RESPONSES, topics, qos: RESPONSES_QOS }];
  }

  const subscriptionsFailed = (error: Error) => observe.partFailed("subscriptions", error);

  async function addJobs(webhookId: string, jobs: PlacedJob[]): Promise<void> {
    await queues.add(webhookId, jobs);
    if (webhookId !== RESPONSES) retention.changed(webhookId, jobs.length);
  }

  const ordered = new GroupAppender({
    ordering: (webhookId) => registry.get(webhookId)?.ordering ?? "none",
    addJobs,
    count: (webhookId, deliveries) => queues.count(webhookId, deliveries),
    isThere: (webhookId, id) => queues.isThere(webhookId, id),
    tails: options.expiringKeys,
  });

  const retention = new Retention({
    webhooks: () => registry.all().map(({ id }) => id),
    queueOf: (id) => (registry.get(id) ? queues.of(id) : undefined),
    isOrdered: (id) => isOrdered(registry.get(id)),
    claim: async (id) => {
      const [name, holder] = [`retention-${id}`, randomUUID()];
      if ((await options.leases.acquire(name, holder, RETENTION_MS)) !== holder) return undefined;
      return () => options.leases.release(name, holder);
    },
    discarded: observe.discarded,
    onFailed: (error) => observe.partFailed("retention", error),
    maxWaiting: options.maxWaiting,
  });

  const messages = new MessageLedger({
    counters: options.counters,
    onFailed: (error) => observe.partFailed("books", error),
  });

  function openReceiver(onChange: () => void): Receiver<S> {
    const mayWrite = () => election.lease.confirm();
    const enqueuer = new Enqueuer({
      addJobs: (webhookId, jobs) => ordered.add(webhookId, jobs),
      book: (count) => messages.enqueued(count),
      exists: (webhookId) => webhookId === RESPONSES || registry.get(webhookId) !== undefined,
      mayWrite,
      onFlushed: (_deliveries, durationMs) => observe.flushed(durationMs),
      onFailed: (error) => observe.partFailed("enqueue", error),
    });
    const intake = createIntake({
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
        options.openSession({ ...callbacks, mayConnect: () => election.lease.isValid, mayWrite }, (packet, done) =>
          intake(packet, callbacks.index, done),
        ),
      onError: subscriptionsFailed,
      onChange,
    });
    const catchUp = async () => {
      await Promise.all([registry.reload(), options.reloadResponseTopics()]);
    };
    return new Receiver(subscriptions, enqueuer, catchUp, subscriptionsFailed);
  }

  const election: ReceiverElection<S> = new ReceiverElection<S>({
    openLease: options.openLease,
    cache: options.receivers,
    wanted,
    openReceiver,
    onError: subscriptionsFailed,
  });

  const watch = createWatch({ ...options, addJobs });
  const { health } = watch;

  const workers = new Workers({
    webhooks: () => registry.all(),
    webhook: (id) => registry.get(id),
    queue: (id) => queues.of(id),
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
    reply: createReply({ accept: options.acceptReply, observe }),
    releaseGroupTail: ({ key, value }) => options.expiringKeys.releaseIf(key, value),
    ordered: options.ordered,
  });

  const orphans = new OrphanedQueues({
    queued: () => queues.webhooks(),
    isKnown: (id) => registry.get(id) !== undefined,
    isStored: options.isStored,
    drop: (id) => queues.drop(id),
    onFailed: (error) => observe.partFailed("books", error),
  });

  async function forget(webhookId: string): Promise<void> {
    observe.forget(webhookId);
    ordered.forget(webhookId);
    retention.forget(webhookId);
    await queues.close(webhookId);
  }

  return {
    /** @param runs the parts that this process runs; the lease decides whether it receives */
    async start(runs: { workers: boolean; retention: boolean }): Promise<void> {
      registry.onChange((changed) => {
        for (const id of changed) watch.changed(id);
        if (runs.workers) workers.refresh(changed);
        election.refresh();
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
      await election.start();
    },

    /** Call when the response topics have changed. */
    refresh: () => election.refresh(),
    /** The receiver, undefined while it is unknown, and whether it is this instance. */
    holder: () => ({ name: election.lease.holder, here: election.lease.held }),
    /** Sessions of this instance: none when another instance is the receiver. */
    sessions: () => election.receiver?.subscriptions.sessions ?? [],
    /** Whether the receiver's subscriptions match the registrations. */
    inStep: () => election.inStep,
    untilInStep: (timeoutMs: number) => election.untilInStep(timeoutMs),
    /** The receiver's refused filters, with the reasons. */
    refused: (): ReadonlyMap<string, string> => new Map(election.refused.map(({ filter, reason }) => [filter, reason])),
    /** Adds a delivery without order. Resolves once it is durable; rejects when the store is unavailable. */
    async enqueue(message: Message, webhookId: string): Promise<void> {
      await addJobs(webhookId, [{ id: message.id, data: toStored(message) }]);
      messages.note("enqueued");
      observe.received("enqueued", message, [webhookId]);
    },
    isThere: (webhookId: string, messageId: string) => queues.isThere(webhookId, messageId),
    /** Milliseconds since the oldest flush in progress began. */
    oldestFlushMs: () => election.receiver?.enqueuer.oldestFlushMs ?? 0,

    async count(webhookId: string) {
      const { discarded } = await queues.ledgerOf(webhookId);
      return countDeliveries(queues.of(webhookId), discarded);
    },
    get: (webhookId: string, messageId: string) => getDelivery(queues.of(webhookId), webhookId, messageId),
    retry: (webhookId: string, messageId: string) => retryDelivery(queues.of(webhookId), webhookId, messageId),
    list: (webhookId: string, query: Parameters<typeof listDeliveries>[2]) =>
      listDeliveries(queues.of(webhookId), webhookId, query),

    /** Queues a test event. @returns its id */
    async sendTest(webhookId: string): Promise<string> {
      const { id, data } = testEvent(webhookId);
      await addJobs(webhookId, [{ id, data }]);
      observe.added(webhookId);
      return id;
    },

    failingSince: (webhookId: string) => health.failingSince(webhookId),
    /** Number of failing endpoints. */
    failing: () => health.failing,

    /**
     * Resets the health of the endpoint and ends its pause, so that it is called at once. Rejects when the store is
     * unavailable.
     */
    async resetHealth(webhookId: string): Promise<void> {
      await health.reset(webhookId);
      await queues.of(webhookId).endPause();
    },

    drop: (webhookId: string) => queues.drop(webhookId),

    /** Ledgers of all instances that share the store. Rejects when the store is unavailable. */
    async books(): Promise<Books> {
      const [book, deliveries] = await Promise.all([messages.read(), options.ledgers.total()]);
      return { messages: book, deliveries };
    },

    /** Stops the intake, acknowledges durable messages, and leaves the reception to another instance. */
    async stopIntake(): Promise<void> {
      await election.stop();
      await messages.stop();
    },

    /**
     * Takes no more deliveries and lets calls in progress finish; calls cut off by the end of the process are made
     * again.
     */
    stopWorkers: () => workers.stop(),

    /** Call after the intake and the workers have stopped: the queues are then unused. */
    async close(): Promise<void> {
      await retention.stop();
      await orphans.stop();
      await watch.stop();
      await queues.closeAll();
    },
  };
}
