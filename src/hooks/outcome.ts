/** Messages of hooks, and the outcomes of calls. */
import type { QoS } from "../message.ts";

export interface HookMessage {
  id: string;
  topic: string;
  payload: Buffer;
  qos: QoS;
  retain: boolean;
  contentType?: string;
}

/** Result of a publish during the call. */
export interface HookPublished {
  id: string;
  topic: string;
  qos: QoS;
  retain: boolean;
  outcome: "sent" | "acknowledged";
  noMatchingSubscribers: boolean | null;
}

export type HookResult = { id: string; outcome: "queued" } | HookPublished;

/** Outcome of a call, and the label of its metric. */
export type CallOutcome =
  | "accepted"
  | "repeated"
  | "unverified"
  | "rate_limited"
  | "invalid"
  | "expression_failed"
  | "stopped"
  | "failed";
