/**
 * Rules of a session's subscriptions as a pure function: event → new state and actions. A change of the wanted set sends
 * only the difference. A reconnect subscribes to everything again, because some brokers resume a session and report
 * that they did not, and others the reverse.
 */
import { LayeredMap } from "../../lib/layered-map.ts";
import {
  forgetRequest,
  isolationReason,
  makeCandidate,
  recordAnswer,
  recordEnd,
  renewIsolated,
  trimIsolation,
} from "./filter-isolation.ts";
import { announce, continueRound, left, pingOver, sync } from "./request-rounds.ts";
import {
  type FilterRequest,
  type RequestAnswer,
  type SessionEvent,
  type SessionStep,
  type Subscription,
  type SubscriptionState,
  UNSUBSCRIBE,
} from "./session-state.ts";

export function reduceSession(state: SubscriptionState, event: SessionEvent): SessionStep {
  switch (event.type) {
    case "wanted":
      return sync(want(state, event.subscriptions, event.now), event.now);
    case "left":
      return sync(leave(state, event.filters), event.now);
    case "connected": {
      // Refused filters are requested again: an operator may have changed the broker's rules.
      const [granted, refused] = [LayeredMap.empty(), LayeredMap.empty()];
      return [{ ...state, connected: true, allowed: event.allowed, granted, refused }, []];
    }
    case "sync_due":
      return sync(state, event.now);
    case "ended":
      return ended(state, event.reasonCode, event.now);
    case "stopped":
      return [{ ...state, connected: false }, [{ type: "cancel_retry" }]];
    case "ponged":
      return [{ ...state, isolation: recordAnswer(state.isolation) }, []];
    case "ping_over":
      return pingOver(state);
    case "ack_received":
      return ackReceived(state, event.request, event.code);
    case "answered":
      return answered(state, event.request, event.answer);
    case "round_continued":
      return continueRound(state, event.now);
  }
}

function want(before: SubscriptionState, subscriptions: readonly Subscription[], now: number): SubscriptionState {
  let { isolation, refused, unwanted } = before;
  for (const { filter, qos } of subscriptions) {
    if (before.wanted.get(filter)?.qos !== qos) isolation = renewIsolated(isolation, filter, now);
  }
  const wanted = new Map(subscriptions.map((subscription) => [subscription.filter, subscription]));
  isolation = trimIsolation(isolation, (filter) => wanted.has(filter));
  for (const [filter] of before.refused) if (!wanted.has(filter)) refused = refused.without(filter);
  for (const [filter] of before.unwanted) if (wanted.has(filter)) unwanted = unwanted.without(filter);
  return { ...before, wanted, isolation, refused, unwanted, isAnnounced: false };
}

function leave(before: SubscriptionState, filters: readonly string[]): SubscriptionState {
  let { unwanted, isolation } = before;
  for (const filter of filters) {
    if (before.wanted.has(filter)) continue;
    if (!unwanted.has(filter)) unwanted = unwanted.with(filter, true);
    // The broker may end the connection at UNSUBSCRIBE for this filter, too.
    if (isolationReason(isolation, filter)) isolation = makeCandidate(isolation, UNSUBSCRIBE + filter);
  }
  return { ...before, unwanted, isolation };
}

/** The broker sends all packets after SUBACK with the subscription active. */
function ackReceived(before: SubscriptionState, request: FilterRequest, code: number | undefined): SessionStep {
  const state = { ...before, isolation: recordAnswer(before.isolation, request.key) };
  if (code === undefined || isRefusal(code) || !isCurrent(state, request.subscription)) return [state, []];
  const granted = state.granted.with(request.filter, request.subscription);
  const next = { ...state, granted };
  return granted.size >= state.wanted.size ? announce(next) : [next, []];
}

function answered(before: SubscriptionState, request: FilterRequest, answer: RequestAnswer): SessionStep {
  // The connection is still up: the request was not answered, or not sent.
  const isVoid = answer.outcome === "timed_out" || (answer.outcome === "failed" && before.connected);
  const isolation = isVoid ? forgetRequest(before.isolation, request.key) : before.isolation;
  const state = { ...before, isolation };
  const isDone = answer.outcome === "acknowledged" || isRefusal(answer.code);
  const [after, actions]: SessionStep = isDone ? take(state, request, answer.code) : [state, []];
  const round = after.round && {
    ...after.round,
    unanswered: after.round.unanswered - 1,
    hasFailed: after.round.hasFailed || !isDone,
  };
  return [{ ...after, round }, [{ type: "continue_round" }, ...actions]];
}

/** Takes the broker's answer. A refusal is recorded, and the filter requested again only on reconnect. */
function take(state: SubscriptionState, request: FilterRequest, code: number | undefined): SessionStep {
  const { filter, subscription } = request;
  if (!subscription) {
    // If it is wanted again since UNSUBSCRIBE was sent, the next round subscribes it again.
    return left({ ...state, granted: state.granted.without(filter) }, filter);
  }
  if (isRefusal(code)) {
    const reason = `the broker refused the subscription (reason 0x${code.toString(16)})`;
    const refused = state.refused.with(filter, reason);
    return [{ ...state, refused }, [{ type: "report", event: "subscription_refused", filter, reason }]];
  }
  const granted = isCurrent(state, subscription) ? state.granted.with(filter, subscription) : state.granted;
  return [{ ...state, granted, refused: state.refused.without(filter) }, []];
}

/** Handles the end of the connection, which one of our requests may have caused. */
function ended(state: SubscriptionState, reasonCode: number | undefined, now: number): SessionStep {
  const why = reasonCode === undefined ? undefined : `reason 0x${reasonCode.toString(16)}`;
  const { isolation, culprit } = recordEnd(state.isolation, now, why);
  const next = { ...state, isolation, connected: false, granted: LayeredMap.empty(), isAnnounced: false };
  if (!culprit) return [next, []];
  const { key, reason } = culprit;
  if (!key.startsWith(UNSUBSCRIBE)) {
    return [next, [{ type: "report", event: "subscription_refused", filter: key, reason }]];
  }
  const filter = key.slice(UNSUBSCRIBE.length);
  // Not retried: messages of a subscription that the broker may still hold match no wanted filter.
  const [after, actions] = left(next, filter);
  return [after, [{ type: "report", event: "unsubscribe_given_up", filter, reason }, ...actions]];
}

function isCurrent({ wanted }: SubscriptionState, one: Subscription | undefined): one is Subscription {
  return one !== undefined && wanted.get(one.filter) === one;
}

/** 0x80 in 3.1.1, 0x80 and above in 5. */
function isRefusal(code: number | undefined): code is number {
  return code !== undefined && code >= 0x80;
}
