/** The subscriptions on the reducer behave like the previous class on random sequences of events. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import type { Packet } from "mqtt";
import type { QoS } from "../../../src/message.ts";
import type { Connection } from "../../../src/mqtt/client/connection.ts";
import { SessionSubscriptions as Reduced } from "../../../src/mqtt/receive/reduced-subscriptions.ts";
import { SessionSubscriptions as Previous } from "../../../src/mqtt/receive/session-subscriptions.ts";

type Wish = { filter: string; qos: QoS; id: number };
/** What the owner does within a callback. */
type Reaction = { want?: Wish[] | undefined; leave?: string[] | undefined } | undefined;

type Command =
  | { type: "want"; wishes: Wish[] }
  | { type: "leave"; filters: string[] }
  /** @param properties of CONNACK */
  | { type: "connect"; protocol: 4 | 5; properties: object | undefined }
  /** @param lost whether the client calls back with errors before the end is known, after it, or never */
  | { type: "end"; reasonCode: number | undefined; lost: "before" | "after" | "never" }
  /** The broker answers unanswered packets; the callbacks of the client come at once or with a later command. */
  | { type: "ack"; which: number; count: number; code: number; isLate: boolean }
  | { type: "callback"; which: number; fails: boolean }
  | { type: "pong" }
  | { type: "advance"; ms: number }
  | { type: "stop" };

const filter = fc.constantFrom("a", "b", "c", "d", "e");
const wishes = fc.uniqueArray(
  fc.record({ filter, qos: fc.constantFrom<QoS>(0, 1, 2), id: fc.integer({ min: 1, max: 2 }) }),
  { maxLength: 4, selector: (wish) => wish.filter },
);
const filters = fc.uniqueArray(filter, { maxLength: 4 });
const sometimes = <T>(one: fc.Arbitrary<T>, freq: number) => fc.option(one, { nil: undefined, freq });
const reaction: fc.Arbitrary<Reaction> = fc.option(
  fc.record({ want: sometimes(wishes, 1), leave: sometimes(filters, 2) }),
  { nil: undefined, freq: 1 },
);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant("want" as const), wishes }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("leave" as const), filters }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("connect" as const),
      protocol: fc.constantFrom<4 | 5>(4, 5, 5),
      properties: fc.constantFrom(undefined, {}, { maximumQoS: 1 }, { subscriptionIdentifiersAvailable: false }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("end" as const),
      reasonCode: fc.constantFrom(undefined, 0x81),
      lost: fc.constantFrom("before" as const, "after" as const, "never" as const),
    }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      type: fc.constant("ack" as const),
      which: fc.nat(5),
      count: fc.integer({ min: 1, max: 4 }),
      code: fc.constantFrom(0, 1, 1, 2, 0x80, 0x87),
      isLate: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ type: fc.constant("callback" as const), which: fc.nat(5), fails: fc.boolean() }),
  },
  { weight: 5, arbitrary: fc.constant({ type: "pong" as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("advance" as const),
      ms: fc.constantFrom(500, 1_000, 10_000, 61_000, 600_000, 3_600_000),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ type: "stop" as const }) },
);

interface Sequence {
  persistent: boolean;
  /** Commands of one turn of the event loop. */
  turns: Command[][];
  reactions: { connect: Reaction; settled: Reaction; left: Reaction }[];
}

/** The broker ends the connection at `a`, or also at `b`, until they are isolated: rarely by chance. */
const isolating = fc.nat(2).map((count) =>
  ["a", "b"].slice(0, count).flatMap((_, i, all): Command[][] => {
    const connect: Command = { type: "connect", protocol: 5, properties: undefined };
    const end: Command = { type: "end", reasonCode: undefined, lost: "after" };
    const wishes = all.slice(0, i + 1).map((one): Wish => ({ filter: one, qos: 1, id: 1 }));
    return [[connect], [{ type: "want", wishes }], [{ type: "pong" }], [end], [connect], [{ type: "pong" }], [end]];
  }),
);

const sequence: fc.Arbitrary<Sequence> = fc.record({
  persistent: fc.integer({ min: 0, max: 3 }).map((n) => n > 0),
  turns: fc
    .tuple(
      isolating,
      fc.array(fc.array(command, { minLength: 1, maxLength: 3 }), { minLength: 5, maxLength: 70, size: "max" }),
    )
    .map(([first, rest]) => [...first, ...rest]),
  reactions: fc.array(fc.record({ connect: reaction, settled: reaction, left: reaction }), { maxLength: 6 }),
});

interface Sent {
  messageId: number;
  cmd: "subscribe" | "unsubscribe";
  isAcked: boolean;
  call: (error?: unknown, granted?: unknown) => void;
  code: number;
}

/** One session in a world whose every packet and callback the test gives. */
class World {
  readonly #subscriptions: Previous | Reduced;
  #log: unknown[] = [];
  #sent: Sent[] = [];
  #lastId = 0;
  readonly #connection = { connected: false, protocol: 5 as number, client: {} };
  readonly #reactions: Sequence["reactions"];

  constructor(Class: typeof Previous | typeof Reduced, { persistent, reactions }: Sequence) {
    this.#reactions = [...reactions];
    this.#connection.client = {
      subscribe: (topic: string, options: object, call: Sent["call"]) =>
        this.#send("subscribe", [topic, options], call),
      unsubscribe: (topic: string, call: Sent["call"]) => this.#send("unsubscribe", [topic], call),
      sendPing: () => this.#log.push("ping"),
      getLastMessageId: () => this.#lastId,
    };
    this.#subscriptions = new Class({
      connection: () => this.#connection as unknown as Connection,
      persistent,
      log: {
        info: () => {},
        warn: () => {},
        error: (fields: object, name: string) => this.#log.push({ name, ...fields }),
      },
      onConnect: (ids) => this.#called(`ids ${ids}`, "connect"),
      onSettled: () => this.#called("settled", "settled"),
      onUnsubscribed: (one) => this.#called(`left ${one}`, "left"),
    });
  }

  run(command: Command): void {
    switch (command.type) {
      case "want":
        this.#subscriptions.want(command.wishes);
        break;
      case "leave":
        this.#subscriptions.leave(command.filters);
        break;
      case "connect":
        if (!this.#connection.connected) this.#connect(command);
        break;
      case "end":
        if (this.#connection.connected) this.#end(command);
        break;
      case "ack":
        for (let i = 0; i < command.count; i++) this.#ack(command);
        break;
      case "callback": {
        const due = this.#sent.filter(({ isAcked }) => isAcked || command.fails);
        const one = due[command.which % due.length];
        if (one) this.#call(one, command.fails && !one.isAcked);
        break;
      }
      case "pong":
        if (this.#connection.connected) this.#subscriptions.received({ cmd: "pingresp" } as Packet);
        break;
      case "stop":
        this.#subscriptions.stop();
        this.#connection.connected = false;
        break;
      case "advance":
        break; // the clock is shared
    }
  }

  #connect({ protocol, properties }: Command & { type: "connect" }): void {
    Object.assign(this.#connection, { connected: true, protocol });
    this.#subscriptions.connected({ properties } as never, protocol);
  }

  #end({ lost, reasonCode }: Command & { type: "end" }): void {
    const callAll = () => {
      for (const { call } of this.#sent.splice(0)) call(new Error("Connection closed"));
    };
    if (lost === "before") callAll();
    this.#connection.connected = false;
    this.#subscriptions.ended(reasonCode);
    if (lost === "after") callAll();
  }

  look() {
    const { settled, status, isWaiting } = this.#subscriptions;
    return { log: this.#log.splice(0), settled, status, isWaiting };
  }

  #called(line: string, kind: "connect" | "settled" | "left"): void {
    this.#log.push({ line, settled: this.#subscriptions.settled });
    const does = this.#reactions.shift()?.[kind];
    if (does?.want) this.#subscriptions.want(does.want);
    if (does?.leave) this.#subscriptions.leave(does.leave);
  }

  #send(cmd: Sent["cmd"], packet: unknown[], call: Sent["call"]): void {
    assert.ok(this.#connection.connected);
    this.#log.push([cmd, ...packet]);
    this.#sent.push({ messageId: ++this.#lastId, cmd, isAcked: false, call, code: 0 });
  }

  #ack({ which, code, isLate }: Command & { type: "ack" }): void {
    const unanswered = this.#sent.filter(({ isAcked }) => !isAcked);
    const one = unanswered[which % unanswered.length];
    if (!one || !this.#connection.connected) return;
    Object.assign(one, { isAcked: true, code });
    this.#subscriptions.received({
      cmd: one.cmd === "subscribe" ? "suback" : "unsuback",
      messageId: one.messageId,
      granted: [code],
    } as Packet);
    if (!isLate) this.#call(one, false);
  }

  #call(one: Sent, fails: boolean): void {
    this.#sent = this.#sent.filter((each) => each !== one);
    if (fails) one.call(new Error("it cannot be sent"));
    else if (one.cmd === "unsubscribe") one.call(undefined);
    else if (one.code >= 128) one.call(Object.assign(new Error("refused"), { packet: { granted: [one.code] } }));
    else one.call(null, [{ qos: one.code }]);
  }
}

/** Counts the kinds of what was observed, so that the test can tell that it tested them all. */
function count(seen: Map<string, number>, { log }: ReturnType<World["look"]>): void {
  for (const each of log as (string | string[] | { name?: string; line?: string })[]) {
    const kind = typeof each === "string" ? each : Array.isArray(each) ? each[0]! : (each.name ?? each.line!);
    seen.set(kind.split(" ")[0]!, (seen.get(kind.split(" ")[0]!) ?? 0) + 1);
  }
}

async function compare(t: TestContext, sequence: Sequence, seen: Map<string, number>): Promise<void> {
  const worlds = [new World(Previous, sequence), new World(Reduced, sequence)] as const;
  for (const [i, commands] of sequence.turns.entries()) {
    for (const one of commands) {
      // Events of the socket and of timers come in turns of their own; packets and calls of the owner need not.
      if (one.type === "connect" || one.type === "end" || one.type === "advance") await nextTurn();
      for (const world of worlds) world.run(one);
      if (one.type === "advance") t.mock.timers.tick(one.ms);
    }
    await nextTurn();
    const [before, after] = worlds.map((world) => world.look());
    assert.deepEqual(after, before, `after turn ${i}: ${JSON.stringify(commands)}`);
    count(seen, before!);
  }
}

describe("the subscriptions on the reducer", () => {
  it("do the same as the previous class on random sequences of events", { timeout: 600_000 }, async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
    const seen = new Map<string, number>();
    const numRuns = Number(process.env.RUNS ?? 1_000);
    await fc.assert(
      fc.asyncProperty(sequence, (each) => compare(t, each, seen)),
      { numRuns, endOnFailure: process.env.RUNS !== undefined },
    );
    t.diagnostic(JSON.stringify([...seen].sort()));
  });
});
