/**
 * Rules of the predecessor gate as a pure function: event → new state and actions. The gate carries out the actions and
 * reports each result as the next event.
 *
 * If a successor checks and is postponed while its predecessor ends, each of the two detects the steps of the other:
 * - within one process, through the state below, which changes together with the steps;
 * - with another process that runs deliveries of this webhook, through the states of the jobs in the store, and where
 *   these are inconclusive (`active`), by another check soon.
 */
import type { JobState } from "../queue/delivery-queue.ts";
import type { GroupTail } from "../queue/job.ts";
import type { GateAction, GateCheck, GateEvent, GateState, GateStep, Promotion, Taken } from "./gate-state.ts";
import { isEnd } from "./message-groups.ts";

/** About 1,000 deliveries are remembered. */
const CHUNK = 32;
const CHUNKS = 32;
/** Longest wait for a successor that another process is about to postpone. */
const PROMOTE_MS = 5_000;

export function reduceGate(state: GateState, event: GateEvent): GateStep {
  switch (event.type) {
    case "taken": {
      const { delivery, previous } = event;
      if (previous === undefined) return pass(state, delivery);
      return decide({ ...state, checking: including(state.checking, delivery.id) }, { ...delivery, previous });
    }
    case "recorded":
      return recorded(state, event.check, event.predecessorRun, event.isFound);
    case "state_read":
      return stateRead(state, event.check, event.isRecorded, event.state);
    case "check_failed":
      return step({ ...state, checking: excluding(state.checking, event.check.id) });
    case "postponed": {
      const { id, run } = event.check;
      const postponing = without(state.postponing, id);
      const next = { ...state, postponing, promotions: without(state.promotions, run) };
      return forEach(next, state.promotions.get(run) ?? [], (now, promotion) =>
        promote(now, { ...promotion, until: event.now + PROMOTE_MS }, event.now),
      );
    }
    case "delivered": {
      const { run, id } = event.delivery;
      const ending = state.runs.get(run);
      const successors = [...new Set([...event.successors, ...(ending?.successors ?? [])])];
      const runs = ending ? withEntry(state.runs, run, { ...ending, isEnding: true }) : state.runs;
      const promoted = promoteNext({ ...state, runs }, { run, id, successors, until: 0 }, event.now);
      return { ...promoted, actions: [{ type: "await_end", run }, ...promoted.actions] };
    }
    case "interrupted":
      return forgetRun(dropCurrent(state, event.delivery), event.delivery.run);
    case "promoted":
      if (event.isDone) return promoteRest(state, event.promotion, event.now);
      return step(state, { type: "read_successor", promotion: event.promotion });
    case "successor_read": {
      const { promotion, now } = event;
      if (now > promotion.until) return promoteRest(state, promotion, now);
      // Another process has postponed it since the attempt to promote it.
      if (event.state === "delayed") return promote(state, promotion, now);
      // It waits for its check, or it has ended.
      if (event.state !== "active") return promoteRest(state, promotion, now);
      // Another process has checked it, and may be about to postpone it.
      return step(state, { type: "pause_promotion", promotion });
    }
    case "promote_again":
      return promote(state, event.promotion, event.now);
    case "end_stored":
      return endStored(state, event.id, event.tail);
    case "end_overdue":
      return forgetRun(state, event.run);
    case "stopped": {
      const ending = [...state.current.values()].filter((run) => state.runs.get(run)?.isEnding);
      return forEach(state, ending, forgetRun);
    }
  }
}

/** Decides what a check does next, by the state of its predecessor in this process. */
function decide(state: GateState, check: GateCheck): GateStep {
  const { previous } = check;
  if (hasEnded(state, previous)) return pass(state, check);
  const number = state.current.get(previous);
  if (number === undefined) return step(state, { type: "read_state", check, isRecorded: false });
  const run = state.runs.get(number);
  // No end within the time: only the store knows it.
  if (!run) return decide({ ...state, current: without(state.current, previous) }, check);
  if (run.isEnding) {
    const waiting = [...run.waiting, check];
    return step({ ...state, runs: withEntry(state.runs, number, { ...run, waiting }) });
  }
  const successors = including(run.successors, check.id);
  const runs = withEntry(state.runs, number, { ...run, successors });
  // Also stored: the predecessor may have to be retried, by any process.
  return step({ ...state, runs }, { type: "record_successor", check, predecessorRun: number });
}

function recorded(state: GateState, check: GateCheck, predecessorRun: number | undefined, isFound: boolean): GateStep {
  if (predecessorRun !== undefined) {
    const run = state.runs.get(predecessorRun);
    const isRunning = state.current.get(check.previous) === predecessorRun && run && !run.isEnding;
    return isRunning ? postpone(state, check, true) : decide(state, check);
  }
  return isFound ? step(state, { type: "read_state", check, isRecorded: true }) : checkSoon(state, check);
}

function stateRead(state: GateState, check: GateCheck, isRecorded: boolean, found: JobState | "gone"): GateStep {
  if (isEnd(found)) return pass(state, check);
  if (found === "active") return checkSoon(state, check);
  if (!isRecorded) return step(state, { type: "record_successor", check, predecessorRun: undefined });
  // The predecessor still waits after this id is recorded: the process that takes it finds the id.
  return isKnown(state, check.previous) ? decide(state, check) : postpone(state, check, true);
}

/** The store does not tell: decides by a change in this process meanwhile, or has the delivery check again soon. */
function checkSoon(state: GateState, check: GateCheck): GateStep {
  return isKnown(state, check.previous) ? decide(state, check) : postpone(state, check, false);
}

function pass(state: GateState, { id, run }: Taken): GateStep {
  const checking = excluding(state.checking, id);
  const current = withEntry(state.current, id, run);
  const runs = withEntry(state.runs, run, { successors: new Set<string>(), isEnding: false, waiting: [] });
  return step({ ...state, checking, current, runs }, { type: "pass", run });
}

/** From `checking` to `postponing` in one step: a promotion must not mistake the delivery for one that still checks. */
function postpone(state: GateState, check: GateCheck, isPromoted: boolean): GateStep {
  const checking = excluding(state.checking, check.id);
  const postponing = withEntry(state.postponing, check.id, check.run);
  return step({ ...state, checking, postponing }, { type: "postpone", check, isPromoted });
}

function promoteNext(state: GateState, promotion: Promotion, now: number): GateStep {
  const [first] = promotion.successors;
  if (first === undefined) return step(state, { type: "finish", run: promotion.run });
  const run = state.postponing.get(first);
  if (run === undefined) return promote(state, { ...promotion, until: now + PROMOTE_MS }, now);
  const waiting = [...(state.promotions.get(run) ?? []), promotion];
  return step({ ...state, promotions: withEntry(state.promotions, run, waiting) });
}

/** A successor that is checking here detects the end itself. */
function promote(state: GateState, promotion: Promotion, now: number): GateStep {
  if (state.checking.has(promotion.successors[0]!)) return promoteRest(state, promotion, now);
  return step(state, { type: "promote", promotion });
}

function promoteRest(state: GateState, promotion: Promotion, now: number): GateStep {
  return promoteNext(state, { ...promotion, successors: promotion.successors.slice(1) }, now);
}

function endStored(state: GateState, id: string, tail: GroupTail | undefined): GateStep {
  const run = state.current.get(id);
  if (run === undefined || state.runs.get(run)?.isEnding === false) return step(state); // to be made again
  const ended = remember(state.ended, id);
  const forgotten = forgetRun({ ...dropCurrent(state, { id, run }), ended }, run);
  return tail ? { ...forgotten, actions: [...forgotten.actions, { type: "release", tail }] } : forgotten;
}

/** Ends a run in memory, and lets the checks that wait for its end decide again. */
function forgetRun(state: GateState, run: number): GateStep {
  const waiting = state.runs.get(run)?.waiting ?? [];
  const next = forEach({ ...state, runs: without(state.runs, run) }, waiting, decide);
  return { ...next, actions: [{ type: "end_known", run }, ...next.actions] };
}

function dropCurrent(state: GateState, { id, run }: Taken): GateState {
  return state.current.get(id) === run ? { ...state, current: without(state.current, id) } : state;
}

/** Whether the delivery runs in this process or has ended here. */
function isKnown(state: GateState, id: string): boolean {
  return state.current.has(id) || hasEnded(state, id);
}

function hasEnded({ ended }: GateState, id: string): boolean {
  return ended.some((chunk) => chunk.has(id));
}

function remember([newest = new Set(), ...older]: GateState["ended"], id: string): GateState["ended"] {
  if (newest.size < CHUNK) return [including(newest, id), ...older];
  return [new Set([id]), newest, ...older].slice(0, CHUNKS);
}

function step(state: GateState, ...actions: GateAction[]): GateStep {
  return { state, actions };
}

function forEach<T>(state: GateState, items: readonly T[], next: (state: GateState, item: T) => GateStep): GateStep {
  return items.reduce<GateStep>(
    (before, item) => {
      const after = next(before.state, item);
      return { state: after.state, actions: [...before.actions, ...after.actions] };
    },
    { state, actions: [] },
  );
}

function withEntry<K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> {
  return new Map(map).set(key, value);
}

function without<K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> {
  if (!map.has(key)) return map;
  const left = new Map(map);
  left.delete(key);
  return left;
}

function including(set: ReadonlySet<string>, id: string): ReadonlySet<string> {
  return set.has(id) ? set : new Set(set).add(id);
}

function excluding(set: ReadonlySet<string>, id: string): ReadonlySet<string> {
  if (!set.has(id)) return set;
  const left = new Set(set);
  left.delete(id);
  return left;
}
