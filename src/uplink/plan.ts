/**
 * Which session of the uplink subscribes to which filter, and under which identifier.
 *
 * A broker may send one copy of a message for each of our subscriptions that match it, or a single one; each webhook
 * must get it once. On MQTT 5 every filter has a subscription identifier, so one session is enough and a copy says
 * which filters it came for. On 3.1.1 nothing tells copies apart, so filters that overlap go to different sessions:
 * then a session gets each message exactly once, whatever the broker does.
 *
 * The plan outlives the process: the broker keeps the subscriptions, and messages waiting there carry identifiers of
 * the past. So an assignment, once made, stays as long as it is right.
 */
import type { QoS } from "../message.ts";
import { overlaps } from "../topic.ts";

export interface Assignment {
  /** Index of the session: 0 unless filters overlap on MQTT 3.1.1. */
  session: number;
  /** Subscription identifier, 1 to 268,435,455 (MQTT 5 section 3.8.2.1.2). */
  id: number;
}

export interface Plan {
  /** What to subscribe. */
  assignments: Map<string, Assignment>;
  /** Assignments of the past that no longer hold: to be unsubscribed at their session. */
  stale: { filter: string; session: number }[];
}

/**
 * @param filters what is wanted, without repetition
 * @param past what is subscribed, or was meant to be, by filter
 * @param copiesCarryIds whether subscription identifiers tell copies apart
 * @param usedId the highest identifier that was ever used: none is used again, since copies may still carry it
 */
export function planSubscriptions(
  filters: string[],
  past: ReadonlyMap<string, Assignment>,
  copiesCarryIds: boolean,
  usedId = 0,
): Plan {
  const assignments = new Map<string, Assignment>();
  // A filter that has to go is still there for a while: nothing that overlaps with it may join it.
  const sessions: string[][] = [];
  const wanted = new Set(filters);
  let lastId = usedId;
  for (const [filter, { session, id }] of past) {
    lastId = Math.max(lastId, id);
    if (!wanted.has(filter)) put(sessions, session, filter);
  }

  // Those that are assigned go first and keep their place if they can; then first fit, which is greedy colouring.
  const ordered = [...filters].sort((a, b) => Number(past.has(b)) - Number(past.has(a)));
  for (const filter of ordered) {
    const known = past.get(filter);
    const session = copiesCarryIds ? 0 : firstFit(sessions, filter, known?.session);
    assignments.set(filter, { session, id: known?.id ?? ++lastId });
    put(sessions, session, filter);
  }

  const stale = [...past]
    .filter(([filter, { session }]) => assignments.get(filter)?.session !== session)
    .map(([filter, { session }]) => ({ filter, session }));
  return { assignments, stale };
}

function put(sessions: string[][], session: number, filter: string): void {
  sessions[session] ??= [];
  sessions[session].push(filter);
}

function firstFit(sessions: (string[] | undefined)[], filter: string, preferred: number | undefined): number {
  const fits = (index: number) => !sessions[index]?.some((other) => overlaps(other, filter));
  if (preferred !== undefined && fits(preferred)) return preferred;
  let index = 0;
  while (!fits(index)) index++;
  return index;
}

/** The highest QoS any webhook wants, by filter. */
export function wantedFilters(webhooks: Iterable<{ topics: string[]; qos: QoS }>): Map<string, QoS> {
  const wanted = new Map<string, QoS>();
  for (const { topics, qos } of webhooks) {
    for (const filter of topics) wanted.set(filter, Math.max(qos, wanted.get(filter) ?? 0) as QoS);
  }
  return wanted;
}
