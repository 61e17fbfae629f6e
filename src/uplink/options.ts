/** Dependencies of the uplink: functions and narrow ports. */
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
  /** The receiver's record for the other instances; already started. */
  receivers: RecordCache<ReceiverRecord>;
  openLease: ReceiverElectionOptions<S>["openLease"];
  endpoints: WatchOptions["endpoints"] & { onChange(listener: (changed: ReadonlySet<string>) => void): void };
  openQueue: DeliveryQueuesOptions["openQueue"];
  /** @param callbacks `mayConnect`, `mayWrite`: whether this instance is confirmed as the receiver */
  openSession(
    callbacks: SessionCallbacks & { mayConnect(): boolean; mayWrite(): Promise<boolean> },
    receive: (packet: ReceivedPacket, done: () => void) => void,
  ): S;
  /** Reloads from the store the data behind {@link UplinkOptions.responseTopics}. */
  reloadResponseTopics(): Promise<void>;
  /** Topics of the responses to requests; the responses go into the queue `RESPONSES_QUEUE`. */
  responseTopics(): readonly string[];
  maxPayloadBytes: number;
  /** Most waiting deliveries of a webhook: beyond them the oldest are discarded. */
  maxWaiting: number;
  /** Group tails of ordered webhooks. */
  expiringKeys: GroupAppenderOptions["tails"] & { releaseIf(key: string, value: string): Promise<void> };
  /** For tasks of one instance at a time, also while the store has no memory left; see the store's `Leases`. */
  leases: {
    acquire(name: string, holder: string, ttlMs: number): Promise<string>;
    release(name: string, holder: string): Promise<void>;
  };
  counters: DeliveryQueuesOptions["counters"] & MessageLedgerOptions["counters"];
  ledgers: DeliveryQueuesOptions["ledgers"] & { total(): Promise<DeliveryTotals> };
  /** Whether the store has a registration, even one that cannot be read. */
  isStored(webhookId: string): Promise<boolean>;
  /** Makes a receiver's reply durable; it is published once the broker is available. */
  acceptReply: ReplyOptions["accept"];
  observe: WatchObserver &
    ReplyOptions["observe"] & {
      received(outcome: IntakeOutcome, message: Message, webhookIds: string[]): void;
      attempted: WorkersOptions["observe"];
      filtered: WorkersOptions["filtered"];
      /** An event of the bridge itself was queued. */
      added(webhookId: string): void;
      flushed(durationMs: number): void;
      /** A part failed and retries by itself. */
      partFailed(
        part: "enqueue" | "subscriptions" | "retention" | "health" | "events" | "reply" | "books",
        error: Error,
      ): void;
      /** A stored filter was skipped because brokers end the connection for it. */
      filterSetAside(webhookId: string, filter: string, reason: string): void;
      discarded: RetentionOptions["discarded"];
      forget(webhookId: string): void;
    };
}
