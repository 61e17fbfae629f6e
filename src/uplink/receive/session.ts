/** A session at the broker, as far as the uplink needs one. */
import type { QoS } from "../../message.ts";

/** A filter that the broker does not subscribe us to, and why. */
export interface Refusal {
  filter: string;
  reason: string;
}

export interface Session {
  /** Everything wanted is granted on the present connection, refused by the broker, or set aside. */
  readonly settled: boolean;
  readonly connected: boolean;
  readonly status?: { refused: Refusal[] };
  /** Replaces the wanted subscriptions. What is no longer among them stays subscribed until {@link leave}. */
  want(subscriptions: { filter: string; qos: QoS; id: number }[]): void;
  /** Unsubscribes filters that are not wanted. */
  leave(filters: string[]): void;
  /** Takes nothing more, and acknowledges what was taken as it becomes durable. Gives up when that does not go on. */
  drain(): Promise<void>;
  /** Ends the connection. What is not acknowledged the broker sends again. */
  close(): Promise<void>;
}

export interface SessionCallbacks {
  index: number;
  onConnect(copiesCarryIds: boolean): void;
  /** The session is {@link Session.settled settled}; called after each change and each connect. */
  onSettled(): void;
  onUnsubscribed(filter: string): void;
  /** The connection is gone. */
  onClose(): void;
}
