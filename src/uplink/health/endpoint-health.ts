/**
 * Health of the endpoints: one circuit breaker each, over all calls of all instances. A healthy endpoint costs a
 * look-up in memory; only transitions are stored.
 */
import { randomUUID } from "node:crypto";
import type { Webhook } from "../../webhooks/webhook.ts";
import type { Decision } from "../attempt.ts";
import {
  admission,
  type BreakerPolicy,
  type EndpointRecord,
  type FailureStreak,
  failed,
  type Health,
  healthy,
  isGivenUp,
  isOpen,
  type Probe,
  probeFailed,
  probeReturned,
  slowDownMs,
} from "./circuit-breaker.ts";
import { Endpoints, type EndpointsOptions } from "./health-records.ts";

export interface HealthOptions extends EndpointsOptions {
  policy: BreakerPolicy;
}

export type Admission = { kind: "call" } | { kind: "probe"; probe: Probe } | { kind: "wait"; ms: number };

/** Outcome of an admitted call. */
export interface Called {
  health: Health;
  decision: Decision;
}

const CALL: Admission = { kind: "call" };
/** Time that a probe may take beyond its call's time-out, for the writes before and after it. */
const PROBE_MARGIN_MS = 15_000;
/** A series of failures that lasts this long is stored before the breaker opens, so that it survives a restart. */
const WRITE_DOWN_AFTER_MS = 60_000;
/** Pause after a store failure or a lost race for the probe, and until the worker of a disabled webhook is closed. */
const MOMENT_MS = 1_000;

export class EndpointHealth {
  readonly #endpoints: Endpoints;
  /** Series of failures that are not stored yet; a healthy endpoint has none. */
  readonly #rows = new Map<string, FailureStreak>();
  /** Breakers being stored as open; admissions wait for the write. */
  readonly #opening = new Map<string, Promise<unknown>>();

  constructor(private readonly options: HealthOptions) {
    this.#endpoints = new Endpoints(options);
  }

  start(): void {
    this.#endpoints.start();
  }

  stop(): void {
    this.#endpoints.stop();
  }

  isOpen(webhookId: string): boolean {
    return isOpen(this.#endpoints.get(webhookId));
  }

  /** Returns the start of the failures, in milliseconds since the epoch; undefined unless the breaker has opened. */
  failingSince(webhookId: string): number | undefined {
    const record = this.#endpoints.get(webhookId);
    return isOpen(record) ? record.failingSince : undefined;
  }

  /** Returns when the next probe is due, in milliseconds since the epoch; undefined unless the breaker has opened. */
  nextProbeAt(webhookId: string): number | undefined {
    const record = this.#endpoints.get(webhookId);
    return isOpen(record) ? record.openUntil : undefined;
  }

  /** Number of failing endpoints. */
  get failing(): number {
    return this.options.records.all().filter(isOpen).length;
  }

  /** Admits or delays a call. The caller that gets the probe must {@link settle} it. Never throws. */
  async admit({ id, timeoutMs }: Webhook): Promise<Admission> {
    const opening = this.#opening.get(id);
    if (opening) await opening;
    if (!this.isOpen(id)) return CALL;
    try {
      // Another instance may have just closed the breaker: a pause started now would outlast its reason.
      const now = this.options.now();
      const seen = admission(await this.#endpoints.read(id), now);
      if (seen === "call") return CALL;
      if (seen !== "probe") return { kind: "wait", ms: seen.waitMs };
      const probe = { id: randomUUID(), until: now + timeoutMs + PROBE_MARGIN_MS };
      const won = await this.#endpoints.change(id, (current) =>
        current && admission(current, now) === "probe" ? { ...current, probe } : undefined,
      );
      return won ? { kind: "probe", probe } : { kind: "wait", ms: MOMENT_MS };
    } catch (error) {
      this.options.onError(error as Error);
      return { kind: "wait", ms: MOMENT_MS };
    }
  }

  /**
   * Records a call for the health of the whole endpoint. Never throws.
   * @returns milliseconds for which the endpoint must not be called
   */
  async settle({ id }: Webhook, admitted: Admission, called: Called): Promise<number> {
    const { health, decision } = called;
    // Fast path of most calls.
    if (health === "success" && !this.#rows.has(id) && !this.#endpoints.get(id)) return 0;
    const asked = decision.kind === "throttled" ? decision.delayMs : 0;
    try {
      if (decision.kind === "gone") return await this.#disable(id, "the endpoint answered 410 Gone");
      if (admitted.kind === "probe") return Math.max(asked, await this.#settleProbe(id, admitted.probe, called));
      // A call that was running when the breaker opened says nothing new.
      if (this.isOpen(id)) return asked;
      if (health === "success") await this.#succeeded(id);
      if (health === "failure") return await this.#failed(id, decision);
    } catch (error) {
      this.options.onError(error as Error);
    }
    return asked;
  }

  /** Drops failures counted for the previous registration; resets the endpoint when the webhook was removed. */
  changed(webhookId: string): void {
    this.#rows.delete(webhookId);
    if (!this.options.webhook(webhookId)) void this.reset(webhookId).catch(this.options.onError);
  }

  /** Forgets everything, e.g. after a new URL or a manual re-enable. Rejects when the store is unavailable. */
  async reset(webhookId: string): Promise<void> {
    this.#rows.delete(webhookId);
    await this.#endpoints.remove(webhookId);
  }

  async #succeeded(id: string): Promise<void> {
    this.#rows.delete(id);
    if (this.#endpoints.get(id)) {
      await this.#endpoints.settle(id, (record) => (isOpen(record) ? undefined : healthy(record)));
    }
  }

  async #failed(id: string, decision: Decision): Promise<number> {
    const { policy } = this.options;
    const now = this.options.now();
    const known = this.#rows.get(id);
    const row = { since: known?.since ?? now, failures: (known?.failures ?? 0) + 1 };
    const before = this.#endpoints.get(id)?.failures ?? 0;
    const failures = before + row.failures;
    const slowDown = decision.kind === "retryAt" && decision.slowDown ? slowDownMs(failures) : 0;
    if (failures < policy.threshold && before === 0 && now - row.since < WRITE_DOWN_AFTER_MS) {
      this.#rows.set(id, row);
      return slowDown;
    }
    this.#rows.delete(id);
    const add = (current?: EndpointRecord) => failed(current, { id, row, now }, policy);
    const reason = `the last ${policy.threshold} attempts failed`;
    const opening = this.#endpoints.transition(id, { type: "webhook.failing", at: now, reason }, (current) =>
      !isOpen(current) && isOpen(add(current)) ? add(current) : undefined,
    );
    if (await this.#meanwhile(id, opening)) return policy.openMs;
    await this.#endpoints.change(id, (current) => (isOpen(current) ? undefined : add(current)));
    return slowDown;
  }

  async #meanwhile<T>(id: string, opening: Promise<T>): Promise<T> {
    const settled = opening.catch(() => undefined);
    this.#opening.set(id, settled);
    try {
      return await opening;
    } finally {
      if (this.#opening.get(id) === settled) this.#opening.delete(id);
    }
  }

  /** @returns milliseconds for which the breaker stays open */
  async #settleProbe(id: string, probe: Probe, { health, decision }: Called): Promise<number> {
    const { policy } = this.options;
    const now = this.options.now();
    if (health === "success") {
      const notice = { type: "webhook.recovered", at: now, reason: "the endpoint answered 2xx" } as const;
      await this.#endpoints.transition(id, notice, (record) => (isOpen(record) ? healthy(record) : undefined));
      return 0;
    }
    const waitMs = decision.kind === "throttled" ? decision.delayMs : 0;
    const next = await this.#endpoints.change(id, (record) => {
      if (record?.probe?.id !== probe.id) return undefined;
      return health === "failure" ? probeFailed(record, now, policy) : probeReturned(record, now + waitMs);
    });
    if (next && health === "failure" && isGivenUp(next, now, policy)) {
      return this.#disable(id, `every attempt failed for ${policy.disableAfterMs / (24 * 3_600_000)} days`);
    }
    return next ? next.openUntil - now : 0;
  }

  /** @returns milliseconds of a short pause, until the worker is closed */
  async #disable(id: string, reason: string): Promise<number> {
    const now = this.options.now();
    this.#rows.delete(id);
    if (this.options.webhook(id)?.disabled) return MOMENT_MS;
    const none: EndpointRecord = { id, failingSince: now, failures: 0, openings: 0, openUntil: 0, notices: [] };
    await this.#endpoints.transition(id, { type: "webhook.disabled", at: now, reason }, (current = none) =>
      current.notices.some(({ type }) => type === "webhook.disabled") ? undefined : current,
    );
    return MOMENT_MS;
  }
}
