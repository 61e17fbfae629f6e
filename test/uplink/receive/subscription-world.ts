/** A broker, a store and registrations around {@link Subscriptions}, driven step by step; records what they are asked. */

import type { QoS } from "../../../src/message.ts";
import { matches } from "../../../src/topic.ts";
import type { Assignment } from "../../../src/uplink/receive/reconciliation/session-plan.ts";
import type { Session, SessionCallbacks } from "../../../src/uplink/receive/session.ts";
import type { AssignmentRecords, SubscriptionsOptions } from "../../../src/uplink/receive/subscriptions.ts";
import fc from "../../support/property.ts";

export type Command =
  | { type: "register"; webhook: number; topics: string[] }
  | { type: "connect"; session: number; ids: boolean }
  | { type: "drop"; session: number }
  | { type: "grant"; session: number }
  | { type: "confirm"; session: number; count: number }
  | { type: "store"; outcome: "done" | "failed" }
  | { type: "interfere"; record: number }
  | { type: "second" };

const filter = fc.constantFrom("a", "b", "a/+", "a/#", "a/b", "+/b", "#", "$x/#");
const session = fc.nat(2);

const later: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof(
    {
      arbitrary: fc.record({
        type: fc.constant("register" as const),
        webhook: fc.nat(2),
        topics: fc.uniqueArray(filter, { maxLength: 3 }),
      }),
      weight: 4,
    },
    { arbitrary: fc.record({ type: fc.constant("connect" as const), session, ids: fc.boolean() }), weight: 2 },
    { arbitrary: fc.record({ type: fc.constant("drop" as const), session }), weight: 1 },
    { arbitrary: fc.record({ type: fc.constant("grant" as const), session }), weight: 4 },
    {
      arbitrary: fc.record({ type: fc.constant("confirm" as const), session, count: fc.integer({ min: 1, max: 3 }) }),
      weight: 3,
    },
    {
      arbitrary: fc.record({
        type: fc.constant("store" as const),
        outcome: fc.constantFrom("done" as const, "done" as const, "done" as const, "failed" as const),
      }),
      weight: 6,
    },
    { arbitrary: fc.record({ type: fc.constant("interfere" as const), record: fc.nat(4) }), weight: 1 },
    { arbitrary: fc.constant({ type: "second" as const }), weight: 2 },
  ),
  { minLength: 20, maxLength: 60, size: "max" },
);

/** Sequences that begin with a connect: without it nothing is requested. */
export const commands = fc
  .tuple(fc.boolean(), later)
  .map(([ids, rest]): Command[] => [{ type: "connect", session: 0, ids }, ...rest]);

class FakeSession implements Session {
  wanted = new Map<string, number>();
  granted = new Map<string, number>();
  leaving: string[] = [];
  connected = false;

  constructor(
    readonly callbacks: SessionCallbacks,
    private readonly log: unknown[],
  ) {}

  get settled(): boolean {
    return this.connected && [...this.wanted].every(([one, id]) => this.granted.get(one) === id);
  }

  want(subscriptions: { filter: string; qos: QoS; id: number }[]): void {
    this.log.push(["want", this.callbacks.index, subscriptions]);
    this.wanted = new Map(subscriptions.map((one) => [one.filter, one.id]));
    this.leaving = this.leaving.filter((one) => !this.wanted.has(one));
    if (this.settled) setImmediate(() => this.settled && this.callbacks.onSettled());
  }

  leave(filters: string[]): void {
    if (filters.length > 0) this.log.push(["leave", this.callbacks.index, filters]);
    for (const one of filters) if (!this.wanted.has(one) && !this.leaving.includes(one)) this.leaving.push(one);
  }

  async drain(): Promise<void> {}
  async close(): Promise<void> {}
}

interface Tested {
  sessions: FakeSession[];
  isSynchronized: boolean;
  connected: boolean;
  start(): Promise<void>;
  refresh(): void;
  stop(): Promise<void>;
  route(topic: string, copy: { session: number; ids?: number[] }): string[] | undefined;
}

const TOPICS = ["a", "b", "a/b", "a/c", "$x/y"];

export class World {
  readonly log: unknown[] = [];
  readonly records = new Map<string, { id: string; value: Assignment; version: number }>();
  readonly webhooks = new Map<string, { id: string; topics: string[]; qos: QoS }>();
  readonly tested: Tested;
  #pending: ((fails: boolean) => void)[] = [];

  constructor(create: (options: SubscriptionsOptions<FakeSession>) => Tested) {
    this.tested = create({
      webhooks: () => this.webhooks.values(),
      records: this.#store(),
      openSession: (callbacks) => {
        this.log.push(["open", callbacks.index]);
        return new FakeSession(callbacks, this.log);
      },
      onError: (error) => this.log.push(["error", error.message]),
    });
  }

  get sessions(): FakeSession[] {
    return this.tested.sessions;
  }

  /** @param tick advances the mocked timers by a second */
  async run(command: Command, tick: () => void): Promise<void> {
    const at = "session" in command ? this.sessions[command.session] : undefined;
    switch (command.type) {
      case "register":
        if (command.topics.length === 0) this.webhooks.delete(`wh_${command.webhook}`);
        else {
          const id = `wh_${command.webhook}`;
          this.webhooks.set(id, { id, topics: command.topics, qos: (command.webhook % 3) as QoS });
        }
        this.tested.refresh();
        break;
      case "connect":
        if (!at || at.connected) break;
        at.connected = true;
        at.callbacks.onConnect(command.ids);
        setImmediate(() => at.settled && at.callbacks.onSettled());
        break;
      case "drop":
        if (!at?.connected) break;
        at.connected = false;
        at.granted.clear();
        at.callbacks.onClose();
        break;
      case "grant":
        if (!at?.connected) break;
        for (const [one, id] of at.wanted) at.granted.set(one, id);
        at.callbacks.onSettled();
        break;
      case "confirm":
        if (!at?.connected) break;
        for (const one of at.leaving.splice(0, command.count)) {
          at.granted.delete(one);
          at.callbacks.onUnsubscribed(one);
        }
        break;
      case "store":
        for (const end of this.#pending.splice(0)) end(command.outcome === "failed");
        break;
      case "interfere": {
        const record = [...this.records.values()][command.record];
        if (record) this.records.set(record.id, { ...record, version: record.version + 1 });
        break;
      }
      case "second":
        tick();
    }
    await turns();
  }

  /** Lets everything succeed until nothing changes any more. */
  async settle(tick: () => void): Promise<void> {
    for (let round = 0; round < 8; round++) {
      await this.run({ type: "store", outcome: "done" }, tick);
      for (const {
        callbacks: { index },
        connected,
      } of [...this.sessions]) {
        if (!connected) await this.run({ type: "connect", session: index, ids: true }, tick);
        await this.run({ type: "grant", session: index }, tick);
        await this.run({ type: "confirm", session: index, count: 100 }, tick);
      }
      await this.run({ type: "second" }, tick);
    }
  }

  /** The effects that an observer sees. */
  get view(): unknown {
    const { tested } = this;
    const copies = TOPICS.flatMap((topic) =>
      [0, 1, 2].flatMap((index) => {
        const matching = [...this.records.values()].filter(({ id }) => matches(id, topic));
        return [undefined, ...matching.map(({ value }) => [value.id])].map((ids) => {
          const copy = ids ? { session: index, ids } : { session: index };
          return [topic, index, ids, tested.route(topic, copy)?.sort()];
        });
      }),
    );
    const { isSynchronized, connected } = tested;
    return { log: this.log, isSynchronized, connected, records: [...this.records.values()], copies };
  }

  #store(): AssignmentRecords {
    const { records, log } = this;
    const write = (name: string, id: string, value: Assignment, version: number) =>
      new Promise<boolean>((resolve, reject) => {
        this.#pending.push((fails) => {
          if (fails) return reject(new Error("the store is away"));
          const isCurrent = (records.get(id)?.version ?? 0) === version;
          log.push([name, id, value, isCurrent]);
          if (isCurrent) records.set(id, { id, value, version: version + 1 });
          resolve(isCurrent);
        });
      });
    return {
      all: async () => [...records.values()],
      create: (id, value) => write("create", id, value, 0),
      replace: (id, value, version) => write("replace", id, value, version),
      remove: async (id) => {
        log.push(["remove", id]);
        return records.delete(id);
      },
    };
  }
}

async function turns(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
}
