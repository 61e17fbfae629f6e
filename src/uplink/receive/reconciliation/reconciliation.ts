/**
 * Brings the broker's subscriptions and the router in line with the registrations, as a reducer: an event changes the
 * state and yields actions. Pure: no clock, no store, no session.
 *
 *     refreshed → plan → store the assignments → route, want → all granted → route without the old filters, leave
 *
 * An assignment is stored before its SUBSCRIBE and removed after its UNSUBACK, so a crash at any point leaves no unknown
 * subscription at the broker. A webhook's old filters stay active until the broker has granted its new ones, so that a
 * change loses no message.
 */
import type { QoS } from "../../../message.ts";
import type { Action, Event, ReadAssignments, Registration, State, Step } from "./reconciliation-state.ts";
import { type Assignment, planSubscriptions, wantedFilters } from "./session-plan.ts";

export function reduce(state: State, event: Event): Step {
  switch (event.type) {
    case "started":
      return started(state, event.webhooks, event.read);
    case "refreshed":
      return plan({ ...state, latest: event.webhooks, isDirty: true });
    case "connected": {
      if (state.copiesCarryIds === event.copiesCarryIds) return [state, []];
      return plan({ ...state, copiesCarryIds: event.copiesCarryIds, isDirty: true });
    }
    case "stored":
      return stored(state, event);
    case "retried":
      return plan(state);
    case "settled":
      return state.inTransition ? endTransition(state) : [state, []];
    case "unsubscribed":
      return unsubscribed(state, event.session, event.filter);
  }
}

/**
 * Opens the sessions of stored assignments, and always the first. The router is ready before them: queued messages
 * arrive right after CONNACK.
 */
function started(before: State, webhooks: readonly Registration[], read: ReadAssignments): Step {
  const routed = route({ ...withRead(before, read), routed: webhooks }, read.assignments, false);
  const opened = after(routed, (next) => open(next, read.assignments.values()));
  return after(opened, (next) => plan({ ...next, latest: webhooks, isDirty: true }));
}

function withRead(state: State, { assignments, usedId }: ReadAssignments): State {
  return { ...state, assigned: assignments, usedId: Math.max(state.usedId, usedId) };
}

function plan(state: State): Step {
  const { latest, copiesCarryIds } = state;
  if (!state.isDirty || state.isStoring || copiesCarryIds === undefined) return [state, []];
  const wanted = wantedFilters(latest);
  const replaces = (filter: string, old: string) =>
    latest.some(({ id, topics }) => topics.includes(filter) && hadBefore(state, id, old));
  const next = planSubscriptions([...wanted.keys()], pastFor(state, wanted), copiesCarryIds, state.usedId, replaces);
  let { usedId } = state;
  for (const { id } of next.assignments.values()) usedId = Math.max(usedId, id);
  // Before the assignments are stored: an UNSUBACK that arrives meanwhile must not remove a filter that is wanted again.
  const leaving = new Map(state.leaving);
  const left = new Set(state.left);
  for (const [filter, { session }] of next.assignments) {
    left.delete(filter);
    const filters = leaving.get(session);
    if (filters?.has(filter)) leaving.set(session, without(filters, filter));
  }
  const planned: State = { ...state, isDirty: false, plan: next, planned: latest, usedId, leaving, left };
  const writes = [...next.assignments]
    .map(([filter, assignment]) => ({ filter, assignment, known: state.assigned.get(filter) }))
    .filter(({ assignment: { session, id }, known }) => known?.session !== session || known.id !== id);
  return writes.length === 0 ? follow(planned) : [{ ...planned, isStoring: true }, [{ type: "store", writes }]];
}

/**
 * Returns the assignments without filters that are wanted again while their UNSUBSCRIBE may be in progress. Such filters
 * get new identifiers: with its old identifier, a filter would count as the oldest of its webhook, and messages for the
 * other filters would count as further copies, although the broker sends none for this filter until it is subscribed
 * again.
 */
function pastFor({ assigned, left }: State, wanted: ReadonlyMap<string, QoS>): ReadonlyMap<string, Assignment> {
  return new Map([...assigned].filter(([filter]) => !(wanted.has(filter) && left.has(filter))));
}

function hadBefore({ topics, former }: State, webhookId: string, filter: string): boolean {
  return (topics.get(webhookId)?.includes(filter) ?? false) || (former.get(webhookId)?.has(filter) ?? false);
}

function stored(state: State, { written, failed, read }: Event & { type: "stored" }): Step {
  const assigned = new Map([...state.assigned, ...written]);
  const next = { ...state, isStoring: false, assigned };
  if (!failed) return after(follow(next), plan);
  // The next plan knows only the new session of a filter that was moved.
  const leaving = new Map(state.leaving);
  for (const [filter, { session }] of written) {
    const former = state.assigned.get(filter)?.session ?? session;
    if (former !== session) leaving.set(former, new Set(leaving.get(former)).add(filter));
  }
  return [{ ...(read ? withRead(next, read) : next), leaving, isDirty: true }, [{ type: "retryLater" }]];
}

/** Starts the transition: routes first, since messages of a new subscription must find their webhook. */
function follow(state: State): Step {
  const { assignments } = state.plan;
  // A filter that was unsubscribed while the plan was being stored has no assignment any more.
  const stale = state.plan.stale.filter(({ filter }) => state.assigned.has(filter));
  const leaving = new Map(state.leaving);
  for (const { filter, session } of stale) leaving.set(session, new Set(leaving.get(session)).add(filter));
  const old = stale.map(({ filter }) => [filter, state.assigned.get(filter)!] as const);
  const changed = { ...state, inTransition: true, leaving, routed: state.planned, followed: assignments };
  const routed = route(changed, new Map<string, Assignment>([...old, ...assignments]), true);
  return after(
    after(routed, (next) => open(next, [...assignments.values(), ...stale])),
    (next) => [next, wants(next)],
  );
}

function open(state: State, assignments: Iterable<{ session: number }>): Step {
  let sessions = Math.max(state.sessions, 1);
  for (const { session } of assignments) sessions = Math.max(sessions, session + 1);
  return sessions === state.sessions ? [state, []] : [{ ...state, sessions }, [{ type: "open", sessions }]];
}

function wants({ plan: { assignments }, planned, sessions }: State): Action[] {
  const wanted = wantedFilters(planned);
  const bySession = Array.from({ length: sessions }, () => [] as { filter: string; qos: QoS; id: number }[]);
  for (const [filter, { session, id }] of assignments) {
    bySession[session]!.push({ filter, qos: wanted.get(filter)!, id });
  }
  return bySession.map((subscriptions, session) => ({ type: "want", session, subscriptions }));
}

/** Builds the routes. @param keepOld whether a webhook keeps the filters that it has in the current router */
function route(state: State, assignments: ReadonlyMap<string, Assignment>, keepOld: boolean): Step {
  const routes = state.routed.map(({ id, topics }) => {
    const all = keepOld ? [...new Set([...topics, ...(state.topics.get(id) ?? [])])] : topics;
    return { webhookId: id, topics: all, leaving: stillComing(state, id).filter((filter) => !all.includes(filter)) };
  });
  const topics = new Map(routes.map((one) => [one.webhookId, one.topics]));
  return [{ ...state, topics }, [{ type: "route", routes, assignments }]];
}

/**
 * Once all filters are granted, every later message of a session has its copy for the new filters. If these are in
 * another session, which may be ahead, an old filter counts until its UNSUBACK.
 */
function stillComing({ copiesCarryIds, former, left }: State, webhookId: string): string[] {
  return copiesCarryIds ? [] : [...(former.get(webhookId) ?? [])].filter((filter) => left.has(filter));
}

/** The broker has granted everything: the old filters of changed webhooks are unneeded. */
function endTransition(state: State): Step {
  // A move that is stored counts only once its plan is followed: until then the former session still wants the filter.
  const isWanted = (session: number, filter: string) => state.followed.get(filter)?.session === session;
  const leave = [...state.leaving]
    .map(([session, filters]) => ({ session, filters: [...filters].filter((filter) => !isWanted(session, filter)) }))
    .filter(({ filters }) => filters.length > 0);
  const left = new Set([...state.left, ...leave.flatMap(({ filters }) => filters)]);
  const former = new Map(state.former);
  for (const [id, topics] of state.topics) {
    const coming = topics.filter((filter) => left.has(filter));
    if (coming.length > 0) former.set(id, new Set([...(former.get(id) ?? []), ...coming]));
  }
  // The session may come from a plan that was stored in part, and never followed.
  const opened = open({ ...state, inTransition: false, left, former }, leave);
  const routed = after(opened, (next) => route(next, state.assigned, false));
  return after(routed, (next) => [next, leave.map((one): Action => ({ type: "leave", ...one }))]);
}

function unsubscribed(state: State, session: number, filter: string): Step {
  const filters = state.leaving.get(session);
  if (!filters?.has(filter)) return [state, []];
  const leaving = new Map(state.leaving).set(session, without(filters, filter));
  const assignment = state.plan.assignments.get(filter) ?? state.assigned.get(filter);
  // Another session may still have the filter: its record stays until the last one has left it.
  const isLeftElsewhere = [...leaving.values()].some((others) => others.has(filter));
  if (!assignment || isLeftElsewhere) return [{ ...state, leaving }, []];
  const isGone = !state.plan.assignments.has(filter) && !state.followed.has(filter);
  const former = new Map<string, ReadonlySet<string>>();
  for (const [id, olds] of state.former) {
    const others = without(olds, filter);
    if (others.size > 0) former.set(id, others);
  }
  const assigned = new Map(state.assigned);
  if (isGone) assigned.delete(filter);
  const next = { ...state, leaving, assigned, former, left: without(state.left, filter) };
  const remove: Action[] = isGone ? [{ type: "removeRecord", filter }] : [];
  return next.inTransition ? [next, remove] : after(route(next, assigned, false), (routed) => [routed, remove]);
}

/** Continues a step from the state that it leads to. */
function after([state, actions]: Step, next: (state: State) => Step): Step {
  const [last, more] = next(state);
  return [last, [...actions, ...more]];
}

function without(filters: ReadonlySet<string>, filter: string): ReadonlySet<string> {
  return new Set([...filters].filter((other) => other !== filter));
}
