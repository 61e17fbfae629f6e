/** A replay: many deliveries made again. Its record, and which delivery belongs to it; pure. */
import { Problem } from "../../errors.ts";
import { newId } from "../../message.ts";
import { type FilterInput, mayMatch, readTimeRange, type TimeRange } from "./delivery-filter.ts";
import type { EndState } from "./redelivery.ts";

export interface ReplayInput extends FilterInput {
  status: "failed" | "succeeded";
}

/** As stored. Times are milliseconds since the epoch. */
export interface ReplayRecord {
  webhookId: string;
  status: ReplayInput["status"];
  /** Absent: from the beginning, to the end. */
  since?: number;
  until?: number;
  state: "running" | "finished" | "cancelled";
  count: number;
  done: number;
  /** Up to this message's id all is done. */
  position: string;
  createdAt: number;
  finishedAt?: number;
}

/** As it is shown. */
export interface Replay {
  id: string;
  webhookId: string;
  state: ReplayRecord["state"];
  /** How many there were at the beginning. */
  count: number;
  done: number;
  createdAt: string;
  finishedAt: string | null;
}

/** @throws Problem that names the field */
export function newReplay(webhookId: string, input: ReplayInput, now: number): { id: string; record: ReplayRecord } {
  const { since, until } = readTimeRange(input, "");
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

/** Of all the ids of its state those that are left to do, the oldest first. */
export function leftToDo(ids: string[], record: ReplayRecord): string[] {
  const range = rangeOf(record);
  return ids.filter((id) => id > record.position && mayMatch(id, range)).sort();
}

/** After these were done. `made` may be fewer: some were gone, or have ended only since the replay began. */
export function advance(record: ReplayRecord, ids: string[], made: number): ReplayRecord {
  const done = Math.min(record.done + made, record.count);
  return { ...record, done, position: ids.at(-1) ?? record.position };
}

export function finish(record: ReplayRecord, now: number): ReplayRecord {
  return { ...record, state: "finished", done: record.count, finishedAt: now };
}

/** @throws Problem conflict when it has ended */
export function cancel(record: ReplayRecord, now: number): ReplayRecord {
  if (record.state !== "running") throw new Problem("conflict", `the replay is ${record.state} already`);
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
