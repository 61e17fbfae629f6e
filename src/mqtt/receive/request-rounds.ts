/**
 * Rounds of requests, part of the session's reducer: many SUBSCRIBE and UNSUBSCRIBE packets at once, but candidates for
 * isolation one at a time and before the others.
 */
import type { QoS } from "../../message.ts";
import {
  forgetRequest,
  isolationReason,
  nextRetryAt,
  planRequests,
  recordSent,
  retryIsolated,
} from "./filter-isolation.ts";
import {
  type FilterRequest,
  isSettled,
  missing,
  type Round,
  type SessionAction,
  type SessionStep,
  type SubscriptionState,
  UNSUBSCRIBE,
} from "./session-state.ts";

const RETRY_MS = 1_000;
/** SUBSCRIBE and UNSUBSCRIBE packets in flight at once. */
const PIPELINE = 64;

/** Starts a round unless one is in progress: then the next one follows it. */
export function sync(before: SubscriptionState, now: number): SessionStep {
  const state = { ...before, isDirty: true };
  if (state.round) return [state, []];
  const [next, actions] = state.connected ? planRound(state, now) : ([state, []] as const);
  return [next, [{ type: "cancel_retry" }, ...actions]];
}

function planRound(before: SubscriptionState, now: number): SessionStep {
  const isolation = retryIsolated(before.isolation, (key) => before.wanted.has(key), now);
  const isAnnounced = before.isAnnounced && isolation === before.isolation;
  const state = { ...before, isolation, isAnnounced, isDirty: false };
  const subscribes = missing(state).map(
    (one): FilterRequest => ({ key: one.filter, filter: one.filter, subscription: one }),
  );
  const unsubscribes = [...state.unwanted].map(([filter]): FilterRequest => ({ key: UNSUBSCRIBE + filter, filter }));
  const groups = [subscribes, unsubscribes].map((requests) => {
    const byKey = new Map(requests.map((request) => [request.key, request]));
    const { alone, together } = planRequests(isolation, byKey.keys());
    return { alone: alone.map((key) => byKey.get(key)!), together: together.map((key) => byKey.get(key)!) };
  });
  const stages = [
    ...groups.map(({ alone }) => ({ requests: alone, atOnce: 1 })),
    ...groups.map(({ together }) => ({ requests: together, atOnce: PIPELINE })),
  ];
  const mustPing = groups.some(({ alone }) => alone.length > 0) && !isolation.hasAnswered;
  const phase = mustPing ? "pinging" : "sending";
  const round: Round = { phase, stages, taken: 0, unanswered: 0, hasFailed: false };
  return [{ ...state, round }, [mustPing ? { type: "ping" } : { type: "continue_round" }]];
}

/** Without an answer on this connection, its end would say nothing about a candidate. */
export function pingOver(state: SubscriptionState): SessionStep {
  if (state.round?.phase !== "pinging") return [state, []];
  const isUp = state.isolation.hasAnswered && state.connected;
  const round: Round = isUp
    ? { ...state.round, phase: "sending" }
    : { ...state.round, stages: [], phase: "sending", hasFailed: true };
  return [{ ...state, round }, [{ type: "continue_round" }]];
}

export function continueRound(state: SubscriptionState, now: number): SessionStep {
  if (!state.round || state.round.phase === "pinging") return [state, []];
  return state.round.phase === "over" ? endRound(state, now) : sendNext(state, state.round);
}

/** Sends the next requests, as many as may be in flight; after the last answer, announces. */
function sendNext(before: SubscriptionState, round: Round): SessionStep {
  const [stage, ...later] = round.stages;
  if (!stage) {
    const [state, actions] = announce({ ...before, round: { ...round, phase: "over" } });
    return [state, [{ type: "continue_round" }, ...actions]];
  }
  const { requests, atOnce } = stage;
  if (round.taken === requests.length && round.unanswered === 0) {
    return sendNext(before, { ...round, stages: later, taken: 0 });
  }
  let state = before;
  let { taken, unanswered, hasFailed } = round;
  const packets: SessionAction[] = [];
  let callbacks: readonly SessionAction[] = [];
  // A callback may change what the next requests are: they wait until it has run.
  while (taken < requests.length && unanswered < atOnce && callbacks.length === 0) {
    const request = requests[taken++]!;
    if (!state.connected) {
      hasFailed = true; // sent again on reconnect
      continue;
    }
    if (!request.subscription) [state, callbacks] = leaveWithSession(state, request.filter);
    if (!request.subscription && !state.unwanted.has(request.filter)) continue;
    packets.push(packetFor(state, request));
    // Until SUBACK it is open what the broker holds: the wanted QoS may change and change back meanwhile.
    const granted = request.subscription ? state.granted.without(request.filter) : state.granted;
    state = { ...state, granted, isolation: recordSent(state.isolation, request.key) };
    unanswered++;
  }
  const next = { ...round, taken, unanswered, hasFailed };
  if (callbacks.length > 0) return [{ ...state, round: next }, [...packets, { type: "continue_round" }, ...callbacks]];
  return unanswered === 0 ? sendNext(state, next) : [{ ...state, round: next }, packets];
}

/** The broker keeps no subscription of a session that ended with its connection. */
function leaveWithSession(state: SubscriptionState, filter: string): SessionStep {
  const isGone = !state.persistent && isolationReason(state.isolation, filter) !== undefined;
  return isGone ? left(state, filter) : [state, []];
}

function packetFor({ allowed }: SubscriptionState, request: FilterRequest): SessionAction {
  const { subscription } = request;
  if (!subscription) return { type: "unsubscribe", request };
  const qos = Math.min(subscription.qos, allowed.qos) as QoS;
  return { type: "subscribe", request, qos, id: allowed.ids ? subscription.id : undefined, options: allowed.options };
}

function endRound(state: SubscriptionState, now: number): SessionStep {
  if (state.isDirty && state.connected) return planRound(state, now);
  const idle = { ...state, round: undefined };
  if (!state.connected) return [idle, []];
  if (state.round?.hasFailed) return [idle, [{ type: "retry_after", ms: RETRY_MS }]];
  const retryAt = nextRetryAt(state.isolation, (key) => state.wanted.has(key));
  return [idle, retryAt === undefined ? [] : [{ type: "retry_after", ms: Math.max(0, retryAt - now) }]];
}

/** UNSUBSCRIBE is confirmed, given up or unnecessary. */
export function left(before: SubscriptionState, filter: string): SessionStep {
  const state = { ...before, isolation: forgetRequest(before.isolation, UNSUBSCRIBE + filter) };
  if (!state.unwanted.has(filter)) return [state, []];
  return [{ ...state, unwanted: state.unwanted.without(filter) }, [{ type: "announce_unsubscribed", filter }]];
}

/** Announces once after each change and each connect that the session is settled. */
export function announce(state: SubscriptionState): SessionStep {
  if (state.isAnnounced || !isSettled(state)) return [state, []];
  return [{ ...state, isAnnounced: true }, [{ type: "announce_settled" }]];
}
