/**
 * When an endpoint that fails is left in peace, and when it is asked again. Pure: what is known, what happened and the
 * time go in, what is known now comes out. Times are milliseconds since the epoch.
 */
import type { WebhookEvent } from "../../webhooks/webhook.ts";
import { type AttemptResult, type Decision, isUnreachable } from "../attempt.ts";

export interface BreakerPolicy {
  /** Failures in a row after which the breaker opens. */
  threshold: number;
  /** How long it stays open, in milliseconds; doubled with every probe that fails, up to `maxOpenMs`. */
  openMs: number;
  maxOpenMs: number;
  /** After so many milliseconds of nothing but failures the webhook is disabled. */
  disableAfterMs: number;
}

export const BREAKER: BreakerPolicy = {
  threshold: 10,
  openMs: 30_000,
  maxOpenMs: 600_000,
  disableAfterMs: 5 * 24 * 3_600_000,
};

/** What all instances know of an endpoint. There is a record only while it is not healthy. */
export interface EndpointRecord {
  /** The webhook. */
  id: string;
  /** When the first failure of this row was. */
  failingSince: number;
  /** Failures in a row. */
  failures: number;
  /** How often the breaker opened in this row; 0: it is closed. */
  openings: number;
  openUntil: number;
  /** The one call that tries whether the endpoint works again. It counts as lost after `until`. */
  probe?: Probe;
  /** What has happened and was not announced yet, the oldest first. */
  notices: Notice[];
}

export interface Probe {
  id: string;
  until: number;
}

/** An event to be announced. Its id stays the same however often that is tried. */
export interface Notice {
  id: string;
  type: WebhookEvent;
  at: number;
  reason: string;
  failingSince: number;
}

/** What an attempt says of the endpoint. `neutral`: nothing, as with an address that we ourselves refuse. */
export type Health = "success" | "failure" | "neutral";

/** An answer, or that there was none. A filter, an expression or an address of ours that fails is not the endpoint's. */
export function healthOf(result: AttemptResult, decision: Decision): Health {
  if (decision.kind === "delivered") return result.statusCode === undefined ? "neutral" : "success";
  if (decision.kind !== "retryAt" && decision.kind !== "dead") return "neutral";
  return result.statusCode !== undefined || isUnreachable(result.error) ? "failure" : "neutral";
}

/** A row of failures, as far as one instance has seen it and not written it down. */
export interface Row {
  since: number;
  failures: number;
}

export function isOpen(record: EndpointRecord | undefined): record is EndpointRecord {
  return record !== undefined && record.openings > 0;
}

/** Whether there is nothing left to remember. */
export function isOver({ failures, openings, notices }: EndpointRecord): boolean {
  return failures === 0 && openings === 0 && notices.length === 0;
}

/** While another one's probe is under way. */
const LOOK_AT_PROBE_MS = 1_000;

/** What a delivery may do now: call, call as the only one, or wait. */
export function admission(record: EndpointRecord | undefined, now: number): "call" | "probe" | { waitMs: number } {
  if (!isOpen(record)) return "call";
  if (record.openUntil > now) return { waitMs: record.openUntil - now };
  // Mostly it is answered long before it counts as lost, and then nobody shall rest any more.
  const left = (record.probe?.until ?? 0) - now;
  return left > 0 ? { waitMs: Math.min(left, LOOK_AT_PROBE_MS) } : "probe";
}

/** Adds failures to a closed breaker, which they may open. */
export function failed(
  record: EndpointRecord | undefined,
  { id, row, now }: { id: string; row: Row; now: number },
  policy: BreakerPolicy,
): EndpointRecord {
  const before = record && record.failures > 0 ? record : undefined;
  const failures = (before?.failures ?? 0) + row.failures;
  const opens = failures >= policy.threshold;
  return {
    ...(record && withoutProbe(record)),
    id,
    failingSince: Math.min(before?.failingSince ?? row.since, row.since),
    failures,
    openings: opens ? 1 : 0,
    openUntil: opens ? now + policy.openMs : 0,
    notices: record?.notices ?? [],
  };
}

/** The probe failed: open again, for twice as long. */
export function probeFailed(record: EndpointRecord, now: number, policy: BreakerPolicy): EndpointRecord {
  const openings = record.openings + 1;
  const openMs = Math.min(policy.openMs * 2 ** (openings - 1), policy.maxOpenMs);
  return { ...withoutProbe(record), failures: record.failures + 1, openings, openUntil: now + openMs };
}

/** The probe told nothing: another one may go at `openUntil`. */
export function probeReturned(record: EndpointRecord, openUntil: number): EndpointRecord {
  return { ...withoutProbe(record), openUntil };
}

/** Nothing is held against the endpoint any more; what was not announced still is to be. */
export function healthy(record: EndpointRecord): EndpointRecord {
  return { ...withoutProbe(record), failures: 0, openings: 0, openUntil: 0 };
}

export function noticed(record: EndpointRecord, notice: Notice): EndpointRecord {
  return { ...record, notices: [...record.notices, notice] };
}

export function isGivenUp({ openings, failingSince }: EndpointRecord, now: number, policy: BreakerPolicy): boolean {
  return openings > 0 && now - failingSince >= policy.disableAfterMs;
}

function withoutProbe({ probe: _probe, ...record }: EndpointRecord): EndpointRecord {
  return record;
}

/** While an endpoint is overloaded or unreachable: a rest after each failure, 1 s doubling to 30 s. */
const COOL_DOWN_MIN_MS = 1_000;
const COOL_DOWN_MAX_MS = 30_000;

/** @param failures in a row, from 1 */
export function slowDownMs(failures: number): number {
  return Math.min(COOL_DOWN_MIN_MS * 2 ** (failures - 1), COOL_DOWN_MAX_MS);
}
