/**
 * Circuit breaker: when to stop calling a failing endpoint and when to probe it. Pure: functions take a record, an
 * event and the time, and return the new record. Times are milliseconds since the epoch.
 */
import { backoffMs } from "../../lib/backoff.ts";
import type { WebhookEvent } from "../../webhooks/webhook.ts";
import { type AttemptResult, type Decision, isUnreachable } from "../attempt.ts";

export interface BreakerPolicy {
  /** Consecutive failures after which the breaker opens. */
  threshold: number;
  /** Milliseconds for which the breaker stays open; doubled by every failed probe, up to `maxOpenMs`. */
  openMs: number;
  maxOpenMs: number;
  /** Milliseconds of nothing but failures after which the webhook is disabled. */
  disableAfterMs: number;
}

export const BREAKER: BreakerPolicy = {
  threshold: 10,
  openMs: 30_000,
  maxOpenMs: 600_000,
  disableAfterMs: 5 * 24 * 3_600_000,
};

/** State of an endpoint, shared by all instances. Kept only while the endpoint is unhealthy or a notice is pending. */
export interface EndpointRecord {
  /** Id of the webhook. */
  id: string;
  /** Time of the first failure in the current series. */
  failingSince: number;
  /** Consecutive failures. */
  failures: number;
  /** How often the breaker opened in the current series; 0: the breaker is closed. */
  openings: number;
  openUntil: number;
  /** The one call that tests whether the endpoint works again. It counts as lost after `until`. */
  probe?: Probe;
  /** Notices not announced yet, oldest first. */
  notices: Notice[];
}

export interface Probe {
  id: string;
  until: number;
}

/** An event to announce. Every attempt to announce it uses the same id. */
export interface Notice {
  id: string;
  type: WebhookEvent;
  at: number;
  reason: string;
  failingSince: number;
}

/** Meaning of an attempt for the endpoint's health. `neutral`: none, e.g. when the bridge refuses the address. */
export type Health = "success" | "failure" | "neutral";

/** Derives health from a response or its absence. Failing expressions and blocked addresses are neutral. */
export function healthOf(result: AttemptResult, decision: Decision): Health {
  if (decision.kind === "delivered") return result.statusCode === undefined ? "neutral" : "success";
  if (decision.kind !== "retryAt" && decision.kind !== "dead") return "neutral";
  return result.statusCode !== undefined || isUnreachable(result.error) ? "failure" : "neutral";
}

/** A series of failures that one instance has seen and not stored yet. */
export interface FailureStreak {
  since: number;
  failures: number;
}

export function isOpen(record: EndpointRecord | undefined): record is EndpointRecord {
  return record !== undefined && record.openings > 0;
}

/** Checks whether the record holds nothing more and can be removed. */
export function isOver({ failures, openings, notices }: EndpointRecord): boolean {
  return failures === 0 && openings === 0 && notices.length === 0;
}

/** Longest wait while the probe of another delivery is running. */
const PROBE_CHECK_MS = 1_000;

/** Decides what a delivery may do now: call, probe as the only one, or wait. */
export function admission(record: EndpointRecord | undefined, now: number): "call" | "probe" | { waitMs: number } {
  if (!isOpen(record)) return "call";
  if (record.openUntil > now) return { waitMs: record.openUntil - now };
  // A probe usually ends long before it counts as lost, and then no delivery should wait any longer.
  const left = (record.probe?.until ?? 0) - now;
  return left > 0 ? { waitMs: Math.min(left, PROBE_CHECK_MS) } : "probe";
}

/** Adds failures to a closed breaker, which opens at the threshold. */
export function failed(
  record: EndpointRecord | undefined,
  { id, row, now }: { id: string; row: FailureStreak; now: number },
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

/** Reopens the breaker after a failed probe, for twice as long. */
export function probeFailed(record: EndpointRecord, now: number, policy: BreakerPolicy): EndpointRecord {
  const openings = record.openings + 1;
  const openMs = backoffMs(openings, policy.openMs, policy.maxOpenMs);
  return { ...withoutProbe(record), failures: record.failures + 1, openings, openUntil: now + openMs };
}

/** Ends an inconclusive probe: the next one may start at `openUntil`. */
export function probeReturned(record: EndpointRecord, openUntil: number): EndpointRecord {
  return { ...withoutProbe(record), openUntil };
}

/** Closes the breaker and clears the failures; pending notices stay. */
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

/** Cool-down after each failure of an overloaded or unreachable endpoint: 1 s, doubling to 30 s. */
const COOL_DOWN_MIN_MS = 1_000;
const COOL_DOWN_MAX_MS = 30_000;

/** @param failures consecutive failures, from 1 */
export function slowDownMs(failures: number): number {
  return backoffMs(failures, COOL_DOWN_MIN_MS, COOL_DOWN_MAX_MS);
}
