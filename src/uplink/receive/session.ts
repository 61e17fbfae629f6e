/** Port to a session at the broker. */
import type { QoS } from "../../message.ts";

/** A filter that the broker refuses, and the reason. */
export interface Refusal {
  filter: string;
  reason: string;
}

export interface Session {
  /**
   * Every wanted filter is granted on the current connection, refused by the broker, or skipped because the broker ends
   * the connection for it.
   */
  readonly settled: boolean;
  readonly connected: boolean;
  readonly status?: { refused: Refusal[] };
  /** Replaces the wanted subscriptions. Filters that are no longer wanted stay subscribed until {@link leave}. */
  want(subscriptions: { filter: string; qos: QoS; id: number }[]): void;
  /** Unsubscribes filters that are not wanted. */
  leave(filters: string[]): void;
  /** Accepts no more messages, and acknowledges the accepted ones as they become durable. Gives up without progress. */
  drain(): Promise<void>;
  /** Ends the connection. The broker resends unacknowledged messages. */
  close(): Promise<void>;
}

export interface SessionCallbacks {
  index: number;
  onConnect(copiesCarryIds: boolean): void;
  /** The session is {@link Session.settled settled}; called after each change and each connect. */
  onSettled(): void;
  onUnsubscribed(filter: string): void;
  /** The connection has ended. */
  onClose(): void;
}
