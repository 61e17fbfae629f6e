/** The subscriptions of a session in a model of its broker, with every order of events possible. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { QoS } from "../../../src/message.ts";
import { isolationReason } from "../../../src/mqtt/receive/filter-isolation.ts";
import { reduceSession } from "../../../src/mqtt/receive/session-reducer.ts";
import {
  emptySubscriptions,
  type FilterRequest,
  isSettled,
  type SessionAction,
  type SessionEvent,
  type Subscription,
  type SubscriptionState,
} from "../../../src/mqtt/receive/session-state.ts";
import fc from "../../support/property.ts";

const FILTERS = ["a", "b", "c", "d", "e", "f"];

/** `bad`: the broker ends the connection. */
type Treatment = "good" | "refused" | "bad";

interface Scenario {
  persistent: boolean;
  treatment: Record<string, Treatment>;
  /** Whether a bad filter also ends the connection at UNSUBSCRIBE. */
  atUnsubscribe: boolean;
  choices: { step: number; wishes: { filter: string; qos: QoS; id: number }[]; filters: string[] }[];
}

interface Packet {
  request: FilterRequest;
  qos?: QoS;
  id?: number | undefined;
}

class Model {
  #state: SubscriptionState;
  #now = 0;
  #retryAt: number | undefined;
  #isPinged = false;
  /** Whether the round continues at the end of the current turn. */
  #continues = false;
  /** Packets on their way to the broker, and answers that the client has not called back yet. */
  #packets: Packet[] = [];
  #callbacks: { request: FilterRequest; code?: number | undefined }[] = [];
  /** Subscriptions that the broker holds. */
  #held = new Map<string, { qos: QoS; id: number | undefined }>();
  /** How each filter was last requested on this connection, since the wanted set changed. */
  #requested = new Map<string, string>();
  /** Filters that were wanted since their end was confirmed, and those to be left that are not wanted again. */
  readonly #asked = new Set<string>();
  readonly #toLeave = new Set<string>();

  constructor(private readonly scenario: Scenario) {
    this.#state = emptySubscriptions(scenario.persistent);
  }

  run(): void {
    for (const choice of this.scenario.choices) this.#step(choice);
    // Then nothing but the filters themselves ends the connection.
    for (let i = 0; !this.#isDone(); i++) {
      assert.ok(i < 2_000, "the session settles");
      if (!this.#state.connected) this.#connect();
      else if (!this.#proceed()) this.#fireRetry();
    }
    this.#checkEnd();
  }

  #step({ step, wishes, filters }: Scenario["choices"][number]): void {
    if (step < 12) this.#proceed();
    else if (step < 15) this.#want(wishes);
    else if (step < 17) this.#leave(filters);
    else if (step === 17 && this.#state.connected) this.#end();
    else if (step === 18 && !this.#state.connected) this.#connect();
    else if (step === 19) this.#fireRetry();
  }

  /** The next event of the connection. @returns whether there was one */
  #proceed(): boolean {
    const callback = this.#callbacks.shift();
    if (callback) {
      const { request, code } = callback;
      const outcome = code !== undefined && code >= 0x80 ? "failed" : "acknowledged";
      this.#handle({ type: "answered", request, answer: { outcome, code } });
      return true;
    }
    if (this.#isPinged) {
      this.#isPinged = false;
      this.#handle({ type: "ponged" });
      this.#handle({ type: "ping_over" });
      return true;
    }
    const packet = this.#packets.shift();
    if (packet) this.#receive(packet);
    return packet !== undefined;
  }

  /** The broker receives a packet, and the session its acknowledgement. */
  #receive(packet: Packet): void {
    const { request, qos, id } = packet;
    const { filter, subscription } = request;
    const treatment = this.scenario.treatment[filter]!;
    if (treatment === "bad" && (subscription || this.scenario.atUnsubscribe)) {
      this.#packets.unshift(packet);
      this.#end();
      return;
    }
    if (!subscription) this.#held.delete(filter);
    else if (treatment === "good") this.#held.set(filter, { qos: qos!, id });
    const code = subscription && (treatment === "refused" ? 0x87 : qos);
    this.#callbacks.push({ request, code });
    this.#handle({ type: "ack_received", request, ...(code !== undefined && { code }) });
  }

  #connect(): void {
    this.#requested.clear();
    if (!this.scenario.persistent) this.#held.clear();
    this.#handle({ type: "connected", allowed: { ids: true, qos: 2, options: true } });
    this.#handle({ type: "sync_due", now: this.#now });
  }

  #end(): void {
    const unanswered = [...this.#packets.splice(0), ...this.#callbacks.splice(0)];
    const isPinged = this.#isPinged;
    this.#isPinged = false;
    this.#handle({ type: "ended", reasonCode: undefined, now: this.#now });
    if (isPinged) this.#handle({ type: "ping_over" });
    for (const { request } of unanswered) this.#handle({ type: "answered", request, answer: { outcome: "failed" } });
  }

  #want(wishes: Subscription[]): void {
    this.#requested.clear(); // a request that is unanswered now is repeated
    for (const { filter } of wishes) {
      this.#asked.add(filter);
      this.#toLeave.delete(filter);
    }
    this.#handle({ type: "wanted", subscriptions: wishes.map((wish) => ({ ...wish })), now: this.#now });
  }

  #leave(filters: string[]): void {
    for (const filter of filters) if (!this.#state.wanted.has(filter)) this.#toLeave.add(filter);
    this.#handle({ type: "left", filters, now: this.#now });
  }

  #fireRetry(): void {
    if (this.#retryAt === undefined) return;
    this.#now = Math.max(this.#now, this.#retryAt);
    this.#retryAt = undefined;
    this.#handle({ type: "sync_due", now: this.#now });
  }

  #handle(event: SessionEvent): void {
    const [state, actions] = reduceSession(this.#state, event);
    this.#state = state;
    for (const action of actions) this.#act(action);
    while (this.#continues) {
      this.#continues = false;
      this.#handle({ type: "round_continued", now: this.#now });
    }
  }

  #act(action: SessionAction): void {
    switch (action.type) {
      case "subscribe":
        this.#subscribe(action);
        break;
      case "unsubscribe": {
        const { request } = action;
        assert.ok(this.#toLeave.has(request.filter), `${request.filter} was left`);
        this.#requested.delete(request.filter);
        this.#packets.push({ request });
        break;
      }
      case "ping":
        this.#isPinged = true;
        break;
      case "continue_round":
        this.#continues = true;
        break;
      case "retry_after":
        this.#retryAt = this.#now + action.ms;
        break;
      case "cancel_retry":
        this.#retryAt = undefined;
        break;
      case "report":
        break;
      case "announce_settled":
        assert.ok(isSettled(this.#state));
        break;
      case "announce_unsubscribed":
        assert.ok(this.#toLeave.delete(action.filter), `${action.filter} is confirmed once`);
        this.#asked.delete(action.filter);
        break;
    }
  }

  #subscribe({ request, qos, id }: SessionAction & { type: "subscribe" }): void {
    const { filter } = request;
    assert.ok(this.#state.connected);
    assert.ok(this.#asked.has(filter), `${filter} is not restored after it was unsubscribed`);
    assert.notEqual(this.#requested.get(filter), `${qos} ${id}`, `${filter} is requested once`);
    // One that was planned before the wanted set changed is repeated, too.
    if (this.#state.wanted.get(filter) === request.subscription) this.#requested.set(filter, `${qos} ${id}`);
    this.#packets.push({ request, qos, id });
  }

  /** Losses may have isolated good filters: their retries end that. */
  #isDone(): boolean {
    const isIdle = this.#packets.length + this.#callbacks.length === 0 && !this.#state.round;
    const isBlamed = [...this.#state.wanted.keys()].some(
      (filter) => this.scenario.treatment[filter] !== "bad" && isolationReason(this.#state.isolation, filter),
    );
    return isIdle && isSettled(this.#state) && !isBlamed;
  }

  #checkEnd(): void {
    const { wanted, granted, refused, unwanted, isAnnounced } = this.#state;
    assert.ok(isAnnounced);
    assert.deepEqual([[...unwanted], [...this.#toLeave]], [[], []], "everything left is confirmed or given up");
    for (const { filter, qos, id } of wanted.values()) {
      const treatment = this.scenario.treatment[filter];
      if (treatment === "good") {
        assert.deepEqual(this.#held.get(filter), { qos, id }, `${filter} is subscribed`);
        assert.equal(granted.get(filter)?.id, id);
      } else if (treatment === "refused") assert.ok(refused.has(filter), `${filter} is refused`);
      else assert.ok(isolationReason(this.#state.isolation, filter), `${filter} is isolated`);
    }
    for (const filter of this.#held.keys()) assert.ok(this.#asked.has(filter), `${filter} is not lost at the broker`);
    for (const [filter] of granted) assert.ok(this.#held.has(filter), `${filter} is granted`);
  }
}

const filter = fc.constantFrom(...FILTERS);
const treatment = fc.constantFrom<Treatment>("good", "good", "good", "refused", "bad");
const scenario: fc.Arbitrary<Scenario> = fc.record({
  persistent: fc.boolean(),
  treatment: fc.record(Object.fromEntries(FILTERS.map((one) => [one, treatment]))),
  atUnsubscribe: fc.boolean(),
  choices: fc.array(
    fc.record({
      step: fc.nat(19),
      wishes: fc.uniqueArray(
        fc.record({ filter, qos: fc.constantFrom<QoS>(0, 1, 2), id: fc.integer({ min: 1, max: 2 }) }),
        { selector: (wish) => wish.filter },
      ),
      filters: fc.uniqueArray(filter),
    }),
    { maxLength: 150, size: "max" },
  ),
});

describe("the subscriptions of a session", () => {
  it("end up as wanted: none lost, none requested twice, none restored once unsubscribed", () => {
    fc.assert(
      fc.property(scenario, (each) => new Model(each).run()),
      { numRuns: Number(process.env.RUNS ?? 1_000), endOnFailure: process.env.RUNS !== undefined },
    );
  });
});
