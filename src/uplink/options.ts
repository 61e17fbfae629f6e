/** What the uplink needs from outside: functions and narrow ports. */
import type { Message } from "../message.ts";
import type { RecordCache } from "../store/record-cache.ts";
import type { WebhookRegistry } from "../webhooks/registry.ts";
import type { ReplyOptions } from "./deliver/reply.ts";
import type { WorkersOptions } from "./deliver/workers.ts";
import type { WatchObserver, WatchOptions } from "./events/watch.ts";
import type { GroupAppenderOptions } from "./ordering/group-append.ts";
import type { DeliveryQueuesOptions, DeliveryTotals } from "./queue/delivery-queues.ts";
import type { RetentionOptions } from "./queue/retention.ts";
import type { IntakeOutcome, ReceivedPacket } from "./receive/intake.ts";
import type { MessageLedgerOptions } from "./receive/message-ledger.ts";
import type { ReceiverElectionOptions, ReceiverRecord } from "./receive/receiver-election.ts";
import type { Session, SessionCallbacks } from "./receive/session.ts";
import type { AssignmentRecords } from "./receive/subscriptions.ts";

export interface UplinkOptions<S extends Session>
  extends Pick<WorkersOptions, "openWorker" | "send" | "eventSource" | "prepare" | "ordered">,
    Pick<WatchOptions, "breaker" | "publishEvent"> {
  registry: WebhookRegistry;
  assignments: AssignmentRecords;
  /** What the instance that receives tells the others; started. */
  receivers: RecordCache<ReceiverRecord>;
  openLease: ReceiverElectionOptions<S>["openLease"];
  endpoints: WatchOptions["endpoints"] & { onChange(listener: (changed: ReadonlySet<string>) => void): void };
  openQueue: DeliveryQueuesOptions["openQueue"];
  /** @param callbacks `mayConnect`, `mayWrite`: whether this instance is surely the one that receives */
  openSession(
    callbacks: SessionCallbacks & { mayConnect(): boolean; mayWrite(): Promise<boolean> },
    receive: (packet: ReceivedPacket, done: () => void) => void,
  ): S;
  /** Reads from the store what {@link UplinkOptions.responseTopics} go by. */
  reloadResponseTopics(): Promise<void>;
  /** Where the answers of requests are expected; they go into the queue {@link ANSWERS_QUEUE}. */
  responseTopics(): readonly string[];
  maxPayloadBytes: number;
  /** How many deliveries of a webhook may wait: beyond them the oldest are discarded. */
  maxWaiting: number;
  /** The ends of the lines of ordered webhooks. */
  expiringKeys: GroupAppenderOptions["tails"] & { releaseIf(key: string, value: string): Promise<void> };
  /** For what one instance at a time does, also while the store has no memory left; see the store's `Leases`. */
  leases: {
    acquire(name: string, holder: string, ttlMs: number): Promise<string>;
    release(name: string, holder: string): Promise<void>;
  };
  counters: DeliveryQueuesOptions["counters"] & MessageLedgerOptions["counters"];
  ledgers: DeliveryQueuesOptions["ledgers"] & { total(): Promise<DeliveryTotals> };
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
      /** A stored filter for which brokers end the connection. */
      filterSetAside(webhookId: string, filter: string, reason: string): void;
      discarded: RetentionOptions["discarded"];
      forget(webhookId: string): void;
    };
}
