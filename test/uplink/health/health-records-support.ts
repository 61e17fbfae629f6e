/** Endpoint records in memory, and an EndpointHealth over them with a clock that the test advances. */
import {
  BREAKER,
  type BreakerPolicy,
  type EndpointRecord,
  type Notice,
} from "../../../src/uplink/health/circuit-breaker.ts";
import { EndpointHealth } from "../../../src/uplink/health/endpoint-health.ts";
import type { EndpointRecords } from "../../../src/uplink/health/health-records.ts";
import type { Webhook } from "../../../src/webhooks/webhook.ts";

export class MemoryRecords implements EndpointRecords {
  readonly records = new Map<string, EndpointRecord>();
  writes = 0;

  get(id: string): EndpointRecord | undefined {
    return this.records.get(id);
  }

  all(): EndpointRecord[] {
    return [...this.records.values()];
  }

  async read(id: string): Promise<EndpointRecord | undefined> {
    return this.records.get(id);
  }

  async create(id: string, value: EndpointRecord): Promise<boolean> {
    if (this.records.has(id)) return false;
    this.#write(id, value);
    return true;
  }

  async update(
    id: string,
    change: (current: EndpointRecord) => EndpointRecord | undefined,
  ): Promise<EndpointRecord | undefined> {
    const current = this.records.get(id);
    const next = current && change(current);
    if (next) this.#write(id, next);
    return next ?? current;
  }

  async remove(id: string): Promise<boolean> {
    if (!this.records.delete(id)) return false;
    this.writes++;
    return true;
  }

  #write(id: string, value: EndpointRecord): void {
    this.writes++;
    this.records.set(id, JSON.parse(JSON.stringify(value)) as EndpointRecord);
  }
}

export interface TestHealth {
  health: EndpointHealth;
  records: MemoryRecords;
  announced: Notice[];
  /** Types of the reported transitions. */
  transitions: string[];
  disabled: string[];
  clock: { now: number };
  /** While an error is set, announcing fails with it. */
  trouble: { error?: Error };
  errors: Error[];
}

/** @param webhook returns the current registration */
export function testHealth(
  webhook: (id: string) => Webhook | undefined,
  policy: Partial<BreakerPolicy> = {},
): TestHealth {
  const records = new MemoryRecords();
  const [announced, disabled, errors] = [[] as Notice[], [] as string[], [] as Error[]];
  const transitions: string[] = [];
  // Time of disabling in the stored registration, which `webhook` may not reflect yet.
  let by: number | undefined;
  const [clock, trouble] = [{ now: Date.UTC(2026, 0, 1) }, {} as { error?: Error }];
  const health = new EndpointHealth({
    records,
    policy: { ...BREAKER, ...policy },
    now: () => clock.now,
    webhook,
    disable: async (id, { at, reason }) => {
      const isNew = by === undefined;
      by ??= at;
      if (isNew) disabled.push(reason);
      return by === at && webhook(id) !== undefined;
    },
    announce: async (_id, notice) => {
      if (trouble.error) throw trouble.error;
      announced.push(notice);
    },
    onTransition: (_id, { type }) => transitions.push(type),
    onError: (error) => errors.push(error),
  });
  return { health, records, announced, transitions, disabled, clock, trouble, errors };
}
