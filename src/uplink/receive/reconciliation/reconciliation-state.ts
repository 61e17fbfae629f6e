/** State, events and actions of {@link ./reconciliation.ts}. */
import type { QoS } from "../../../message.ts";
import type { Route } from "../router.ts";
import type { Assignment, Plan } from "./session-plan.ts";

export interface Registration {
  id: string;
  topics: string[];
  qos: QoS;
}

export type StoredAssignment = Assignment & { version: number };

/** Stored assignments, and the highest subscription identifier among them. */
export interface ReadAssignments {
  assignments: ReadonlyMap<string, StoredAssignment>;
  usedId: number;
}

export interface Write {
  filter: string;
  assignment: Assignment;
  /** Undefined: the filter has no stored assignment. */
  known: StoredAssignment | undefined;
}

export interface State {
  /** Registrations at the last refresh. */
  latest: readonly Registration[];
  /** Registrations that the router follows: newer ones only once their assignments are stored. */
  routed: readonly Registration[];
  /** Whether {@link latest} is still to be planned. */
  isDirty: boolean;
  isStoring: boolean;
  /** Whether the router includes the old filters of changed registrations. */
  inTransition: boolean;
  /** Undefined before the first connect. */
  copiesCarryIds: boolean | undefined;
  sessions: number;
  /** The stored assignments. */
  assigned: ReadonlyMap<string, StoredAssignment>;
  /** The last plan, and the registrations that it is for. */
  plan: Plan;
  planned: readonly Registration[];
  /** Assignments that the sessions were last asked for: those of the last plan once it is stored. */
  followed: ReadonlyMap<string, Assignment>;
  /** Filters still to be unsubscribed, by session. */
  leaving: ReadonlyMap<number, ReadonlySet<string>>;
  /** Filters passed to {@link Session.leave}: the broker may have unsubscribed them already. */
  left: ReadonlySet<string>;
  /** Filters per webhook in the current router. */
  topics: ReadonlyMap<string, string[]>;
  /** Former filters per webhook that the broker may not have unsubscribed yet. */
  former: ReadonlyMap<string, ReadonlySet<string>>;
  /** The highest subscription identifier that this process has read or used. */
  usedId: number;
}

export type Event =
  | { type: "started"; webhooks: readonly Registration[]; read: ReadAssignments }
  /** A registration was added, changed or removed. */
  | { type: "refreshed"; webhooks: readonly Registration[] }
  /** The first session has connected. */
  | { type: "connected"; copiesCarryIds: boolean }
  /** All writes have ended. @param read the assignments read again, because another instance has changed one */
  | { type: "stored"; written: ReadonlyMap<string, StoredAssignment>; failed: boolean; read?: ReadAssignments }
  | { type: "retried" }
  /** All sessions are settled. */
  | { type: "settled" }
  | { type: "unsubscribed"; session: number; filter: string };

export type Action =
  | { type: "store"; writes: Write[] }
  | { type: "retryLater" }
  | { type: "route"; routes: Route[]; assignments: ReadonlyMap<string, Assignment> }
  | { type: "open"; sessions: number }
  | { type: "want"; session: number; subscriptions: { filter: string; qos: QoS; id: number }[] }
  | { type: "leave"; session: number; filters: string[] }
  | { type: "removeRecord"; filter: string };

export type Step = [state: State, actions: Action[]];

export const INITIAL: State = {
  latest: [],
  routed: [],
  isDirty: false,
  isStoring: false,
  inTransition: false,
  copiesCarryIds: undefined,
  sessions: 0,
  assigned: new Map(),
  plan: { assignments: new Map(), stale: [] },
  planned: [],
  followed: new Map(),
  leaving: new Map(),
  left: new Set(),
  topics: new Map(),
  former: new Map(),
  usedId: 0,
};

/** Whether everything that the registrations need is requested, and the transition has ended. */
export function isReconciled({ isDirty, isStoring, inTransition, copiesCarryIds }: State): boolean {
  return !isDirty && !isStoring && !inTransition && copiesCarryIds !== undefined;
}
