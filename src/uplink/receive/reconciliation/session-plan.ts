/**
 * Subscription plan: the session and the subscription identifier of each filter.
 *
 * A broker may send one copy of a message for each matching subscription, or a single one; each webhook must get the
 * message once. On MQTT 5 every filter has a subscription identifier, so one session is enough and a copy names the
 * filters it came for. On MQTT 3.1.1 copies cannot be distinguished, so overlapping filters go to different sessions: a
 * session then gets each message exactly once, whatever the broker does. The exception is a filter that replaces
 * another one of its webhook: see {@link planSubscriptions}.
 *
 * The plan outlives the process: the broker keeps the subscriptions, and its queued messages carry earlier identifiers.
 * So an assignment stays unchanged as long as it is valid.
 */
import type { QoS } from "../../../message.ts";
import { OverlapIndex } from "../../../topic-index.ts";

export interface Assignment {
  /** Index of the session: 0 unless filters overlap on MQTT 3.1.1. */
  session: number;
  /** Subscription identifier, 1 to 268,435,455 (MQTT 5 section 3.8.2.1.2). */
  id: number;
}

export interface Plan {
  /** Assignments of the wanted filters. */
  assignments: Map<string, Assignment>;
  /** Earlier assignments that no longer hold; their sessions must unsubscribe. */
  stale: { filter: string; session: number }[];
}

/**
 * @param filters the wanted filters, without duplicates
 * @param past the assignments that are, or were meant to be, subscribed, by filter
 * @param copiesCarryIds whether subscription identifiers distinguish copies
 * @param usedId the highest identifier ever used: identifiers are not reused, since copies may still carry them
 * @param replaces whether a webhook has the first filter in place of the second, which is no longer wanted
 */
export function planSubscriptions(
  filters: string[],
  past: ReadonlyMap<string, Assignment>,
  copiesCarryIds: boolean,
  usedId = 0,
  replaces: (filter: string, old: string) => boolean = () => false,
): Plan {
  const assignments = new Map<string, Assignment>();
  const sessions: OverlapIndex[] = [];
  // An unwanted filter stays subscribed for a while. The filter that replaces it for a webhook joins its session: most
  // brokers send one copy per session, so each message of the transition comes once. Other overlapping filters avoid
  // that session.
  const leaving: OverlapIndex[] = [];
  const wanted = new Set(filters);
  let lastId = usedId;
  for (const [filter, { session, id }] of past) {
    lastId = Math.max(lastId, id);
    if (!wanted.has(filter)) put(leaving, session, filter);
  }

  const fits = (filter: string, index: number) => !sessions[index]?.some(filter);
  const mayJoin = (filter: string, index: number) => !leaving[index]?.some(filter, (old) => !replaces(filter, old));
  const choose = (filter: string, known: Assignment | undefined) => {
    if (known && fits(filter, known.session)) return known.session;
    // Prefer the session of the replaced filter, or each message of the transition would come in two sessions.
    const joined = leaving.findIndex((olds) => olds?.some(filter, (old) => replaces(filter, old)));
    if (joined >= 0 && fits(filter, joined) && mayJoin(filter, joined)) return joined;
    let index = 0;
    while (!fits(filter, index) || !mayJoin(filter, index)) index++;
    return index;
  };

  // Assigned filters go first and keep their session if possible; the others take the first fit (greedy colouring).
  const ordered = [...filters].sort((a, b) => Number(past.has(b)) - Number(past.has(a)));
  for (const filter of ordered) {
    const known = past.get(filter);
    const session = copiesCarryIds ? 0 : choose(filter, known);
    assignments.set(filter, { session, id: known?.id ?? ++lastId });
    put(sessions, session, filter);
  }

  const stale = [...past]
    .filter(([filter, { session }]) => assignments.get(filter)?.session !== session)
    .map(([filter, { session }]) => ({ filter, session }));
  return { assignments, stale };
}

function put(sessions: OverlapIndex[], session: number, filter: string): void {
  sessions[session] ??= new OverlapIndex();
  sessions[session].add(filter);
}

/** The highest QoS that any webhook wants, by filter. */
export function wantedFilters(webhooks: Iterable<{ topics: string[]; qos: QoS }>): Map<string, QoS> {
  const wanted = new Map<string, QoS>();
  for (const { topics, qos } of webhooks) {
    for (const filter of topics) wanted.set(filter, Math.max(qos, wanted.get(filter) ?? 0) as QoS);
  }
  return wanted;
}
