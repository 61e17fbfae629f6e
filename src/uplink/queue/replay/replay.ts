/** Replay of many deliveries: its record and the selection of its deliveries. Pure. */
import { newId } from "../../../message.ts";
import { type FilterInput, InvalidField, mayMatch, readTimeRange, type TimeRange } from "../delivery-filter.ts";
import type { EndState } from "../delivery-queue.ts";

export interface ReplayInput extends FilterInput {
  status: "failed" | "succeeded";
}

/** Stored record of a replay. Times are milliseconds since the epoch. */
export interface ReplayRecord {
  webhookId: string;
  status: ReplayInput["status"];
  /** Absent: no lower bound, no upper bound. */
  since?: number;
  until?: number;
  state: "running" | "finished" | "cancelled";
  count: number;
  done: number;
  /** Message id up to which all deliveries are processed. */
  position: string;
  createdAt: number;
  finishedAt?: number;
}

/** A replay as the API returns it. */
export interface Replay {
  id: string;
  webhookId: string;
  state: ReplayRecord["state"];
  /** Number of deliveries at the start. */
  count: number;
  done: number;
  createdAt: string;
  finishedAt: string | null;
}

export function newReplay(
  webhookId: string,
  input: ReplayInput,
  now: number,
): { id: string; record: ReplayRecord } | InvalidField {
  const range = readTimeRange(input);
  if (range instanceof InvalidField) return range;
  const { since, until } = range;
  const record: ReplayRecord = {
    webhookId,
    status: input.status,
    ...(Number.isFinite(since) && { since }),
    ...(Number.isFinite(until) && { until }),
    state: "running",
    count: 0,
    done: 0,
    position: "",
    createdAt: now,
  };
  return { id: newId("rpl"), record };
}

function rangeOf({ since, until }: ReplayRecord): TimeRange {
  return { since: since ?? Number.NEGATIVE_INFINITY, until: until ?? Number.POSITIVE_INFINITY };
}

export function stateOf({ status }: ReplayRecord): EndState {
  return status === "failed" ? "failed" : "completed";
}

/** Returns the ids of its state that are left to replay, oldest first. */
export function leftToDo(ids: string[], record: ReplayRecord): string[] {
  const range = rangeOf(record);
  return ids.filter((id) => id > record.position && mayMatch(id, range)).sort();
}

/**
 * Returns the record after `ids` were processed. `made` may be smaller: some have changed meanwhile, or ended after the
 * replay began.
 */
export function advance(record: ReplayRecord, ids: string[], made: number): ReplayRecord {
  const done = Math.min(record.done + made, record.count);
  return { ...record, done, position: ids.at(-1) ?? record.position };
}

export function finish(record: ReplayRecord, now: number): ReplayRecord {
  return { ...record, state: "finished", done: record.count, finishedAt: now };
}

/** @returns undefined when the replay has ended */
export function cancel(record: ReplayRecord, now: number): ReplayRecord | undefined {
  if (record.state !== "running") return undefined;
  return { ...record, state: "cancelled", finishedAt: now };
}

export function toReplay(id: string, { webhookId, state, count, done, createdAt, finishedAt }: ReplayRecord): Replay {
  return {
    id,
    webhookId,
    state,
    count,
    done,
    createdAt: new Date(createdAt).toISOString(),
    finishedAt: finishedAt === undefined ? null : new Date(finishedAt).toISOString(),
  };
}
