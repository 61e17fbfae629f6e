/** State, events and actions of a session's subscriptions; `session-reducer.ts` has the rules. */
import { LayeredMap } from "../../lib/layered-map.ts";
import type { QoS } from "../../message.ts";
import { type Isolation, isolationReason, isolationReasons, NO_ISOLATION } from "./filter-isolation.ts";

export interface Subscription {
  filter: string;
  qos: QoS;
  /** MQTT 5 subscription identifier, 1 to 268,435,455 (section 3.8.2.1.2). */
  id: number;
}

/** A SUBSCRIBE, or without `subscription` an UNSUBSCRIBE, for one filter. */
export interface FilterRequest {
  key: string;
  filter: string;
  subscription?: Subscription;
}

/** Key prefix of an UNSUBSCRIBE; a SUBSCRIBE has the filter alone as its key. No filter contains NUL (MQTT-4.7.3-2). */
export const UNSUBSCRIBE = "\0";

/** Requests that are sent in this order, some of them at once. */
interface Stage {
  requests: readonly FilterRequest[];
  atOnce: number;
}

/** One pass over everything that is missing at the broker. A change meanwhile is for the next round. */
export interface Round {
  /** `pinging`: the broker must answer something before a candidate for isolation is sent. */
  phase: "pinging" | "sending" | "over";
  /** The current stage is first. */
  stages: readonly Stage[];
  /** Number of requests of the current stage that were taken up, and of those that are unanswered. */
  taken: number;
  unanswered: number;
  /** A request must be retried. */
  hasFailed: boolean;
}

/** Features that SUBSCRIBE may use on this connection. If asked for more, AWS IoT Core ends it or never answers. */
export interface AllowedFeatures {
  ids: boolean;
  qos: number;
  /** Options of MQTT 5. */
  options: boolean;
}

export interface SubscriptionState {
  persistent: boolean;
  connected: boolean;
  allowed: AllowedFeatures;
  wanted: ReadonlyMap<string, Subscription>;
  /** Filters to unsubscribe; a set in order. */
  unwanted: LayeredMap<true>;
  /** Subscriptions granted on this connection. */
  granted: LayeredMap<Subscription>;
  /** Reasons of the broker's refusals on this connection. */
  refused: LayeredMap<string>;
  isolation: Isolation;
  /** The owner knows that the session is settled. */
  isAnnounced: boolean;
  /** Something changed since the last round was planned. */
  isDirty: boolean;
  round: Round | undefined;
}

/** Answer to a request, as its sender received it. */
export interface RequestAnswer {
  outcome: "acknowledged" | "failed" | "timed_out";
  /** Reason code in SUBACK; also of a failed request if the broker refused it. */
  code?: number | undefined;
}

export type SessionEvent =
  | { type: "wanted"; subscriptions: readonly Subscription[]; now: number }
  | { type: "left"; filters: readonly string[]; now: number }
  | { type: "connected"; allowed: AllowedFeatures }
  /** The owner knows of the connect, or a retry is due. */
  | { type: "sync_due"; now: number }
  /** @param reasonCode of DISCONNECT, if one arrived */
  | { type: "ended"; reasonCode: number | undefined; now: number }
  | { type: "stopped" }
  | { type: "ponged" }
  /** The wait for PINGRESP is over, with or without one. */
  | { type: "ping_over" }
  /** SUBACK (with its code) or UNSUBACK arrived. In packet order: the callback of the client comes later. */
  | { type: "ack_received"; request: FilterRequest; code?: number }
  | { type: "answered"; request: FilterRequest; answer: RequestAnswer }
  | { type: "round_continued"; now: number };

export type SessionAction =
  | { type: "subscribe"; request: FilterRequest; qos: QoS; id: number | undefined; options: boolean }
  | { type: "unsubscribe"; request: FilterRequest }
  | { type: "ping" }
  /** Go on with the round when the code that runs now has ended: it may bring further events. */
  | { type: "continue_round" }
  | { type: "retry_after"; ms: number }
  | { type: "cancel_retry" }
  | { type: "report"; event: "subscription_refused" | "unsubscribe_given_up"; filter: string; reason: string }
  /** Callbacks are last in a step, because they may call the session. */
  | { type: "announce_settled" }
  | { type: "announce_unsubscribed"; filter: string };

export type SessionStep = readonly [state: SubscriptionState, actions: readonly SessionAction[]];

export function emptySubscriptions(persistent: boolean): SubscriptionState {
  return {
    persistent,
    connected: false,
    allowed: { ids: false, qos: 2, options: false },
    wanted: new Map(),
    unwanted: LayeredMap.empty(),
    granted: LayeredMap.empty(),
    refused: LayeredMap.empty(),
    isolation: NO_ISOLATION,
    isAnnounced: false,
    isDirty: false,
    round: undefined,
  };
}

/** Whether every wanted subscription is granted on the current connection, refused by the broker, or isolated. */
export function isSettled(state: SubscriptionState): boolean {
  return state.connected && missing(state).length === 0;
}

/** Wanted subscriptions that are neither granted nor refused nor isolated. */
export function missing({ wanted, granted, refused, isolation }: SubscriptionState): Subscription[] {
  return [...wanted.values()].filter(({ filter, qos, id }) => {
    const known = granted.get(filter);
    const isRefused = refused.has(filter) || isolationReason(isolation, filter) !== undefined;
    return !isRefused && (known?.qos !== qos || known.id !== id);
  });
}

export function statusOf({ wanted, granted, refused, isolation }: SubscriptionState) {
  return {
    wanted: wanted.size,
    granted: granted.size,
    refused: [...refused, ...isolationReasons(isolation)]
      .filter(([filter]) => wanted.has(filter))
      .map(([filter, reason]) => ({ filter, reason })),
  };
}
