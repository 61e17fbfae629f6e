/** The probes of an instance, the uplink's readiness on the receiving one and on the others, `/v1/status`, depths. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SubscriberSession } from "../../src/mqtt/receive/session.ts";
import { MAX_LABELLED_WEBHOOKS } from "../../src/ops/metrics.ts";
import {
  createProbes,
  createStatus,
  type GaugePorts,
  type ProbePorts,
  queueDepths,
  type StatusPorts,
  uplinkCheck,
} from "../../src/ops/status.ts";

type Status = SubscriberSession["status"];

const CONNECTED: Status = {
  clientId: "c-uplink-0",
  state: "connected",
  protocol: "5",
  error: undefined,
  wanted: 2,
  granted: 2,
  refused: [],
};

function check(name: string | undefined, here: boolean, isSynchronized: boolean, ...statuses: Partial<Status>[]) {
  const sessions = statuses.map((status) => ({ status: { ...CONNECTED, ...status } }) as SubscriberSession);
  return uplinkCheck({ holder: { name, here }, sessions, isSynchronized });
}

describe("the uplink check", () => {
  it("is ok where this instance receives the wanted filters", () => {
    assert.deepEqual(check("a", true, true, {}), { ok: true });
  });

  it("names the reason that keeps this instance from receiving", () => {
    for (const [detail, isSynchronized, status] of [
      [/^c-uplink-0: refused$/, true, { state: "offline", error: "refused" }],
      [/^c-uplink-0: offline$/, true, { state: "offline" }],
      [
        /^c-uplink-0: a filter is refused \(see \/v1\/status\): not authorised$/,
        true,
        { refused: [{ filter: "a/#", reason: "not authorised" }] },
      ],
      [/^c-uplink-0: 1 of 2 filters/, true, { granted: 1 }],
      [/do not follow/, false, {}],
    ] as const) {
      const { ok, detail: said } = check("a", true, isSynchronized, {}, status as Partial<Status>);
      assert.equal(ok, false);
      assert.match(said!, detail);
    }
    assert.equal(check("a", true, false).ok, false, "gained a moment ago, and no session yet");
  });

  it("is ok where another instance receives, and names it", () => {
    assert.deepEqual(check("b", false, false), { ok: true, detail: "held by b" });
  });

  it("is not ok where no receiver is known", () => {
    assert.deepEqual(check(undefined, false, false), { ok: false, detail: "no instance is known to receive" });
  });
});

const CAPACITY = { usedBytes: 1, maximumBytes: 10, version: null };
const GRANTED = { maximumQos: 2, retainAvailable: true };
const away = () => Promise.reject(new Error("away"));
const counts = { pending: 1, retrying: 2, active: 3, failed: 4, succeeded: 5, discarded: 6 };
const books = { messages: {}, deliveries: {} };
const CONFIGURATION = {
  ...{ folder: "/f", state: "partly" as const, appliedAt: "2026-03-01T12:00:00.000Z", documents: 1 },
  ...{ created: 0, updated: 0, unchanged: 0 },
  refused: [{ kind: "Webhook", identity: "a", code: "blocked_address", detail: "url: is not allowed" }],
};
const ALL = { connection: true, receiver: true, canary: true };

type Parts = ProbePorts & StatusPorts & GaugePorts;

/** The parts of a working instance that receives, changed by `changes`. */
function partsWith(changes: { [name in keyof Parts]?: object } = {}): Parts {
  const parts = {
    instance: "i",
    roles: ["api"],
    broker: { url: "mqtt://b", embedded: false },
    warnings: ["w2"],
    settings: { PORT: 8080 },
    runs: { ...ALL, ...changes.runs },
    connection: { connected: true, state: "connected", protocol: 5, ...changes.connection },
    store: {
      kind: "embedded",
      warnings: ["w1"],
      ping: async () => undefined,
      capacity: async () => CAPACITY,
      ...changes.store,
    },
    granted: () => GRANTED,
    receiver: {
      holder: { name: "i", here: true },
      sessions: [{ status: CONNECTED, pending: 3 }],
      isSynchronized: true,
      oldestFlushMs: 0,
      ...changes.receiver,
    },
    webhooks: { size: 1, all: () => [{ id: "wh_1" }], ...changes.webhooks },
    deliveries: { count: async () => counts, ...changes.deliveries },
    health: { failing: 2 },
    outbox: { waiting: async () => 7, ...changes.outbox },
    ledgers: {
      messages: { read: async () => books.messages },
      deliveries: { total: async () => books.deliveries },
      ...changes.ledgers,
    },
    canary: { probe: async () => ({ ok: true }), ...changes.canary },
  };
  return parts as unknown as Parts;
}

describe("the probes", () => {
  const sets: [reason: string, parts: Parts, names: string[]][] = [
    ["are all four on an instance with all roles", partsWith(), ["broker", "uplink", "store", "consumption"]],
    [
      "leave out the uplink without its role",
      partsWith({ runs: { receiver: false } }),
      ["broker", "store", "consumption"],
    ],
    [
      "leave out the broker without a connection",
      partsWith({ runs: { connection: false, receiver: false } }),
      ["store", "consumption"],
    ],
    [
      "leave out the consumption without workers",
      partsWith({ runs: { canary: false } }),
      ["broker", "uplink", "store"],
    ],
  ];
  for (const [reason, parts, names] of sets) {
    it(reason, () => assert.deepEqual(Object.keys(createProbes(parts)), names));
  }

  const offline = { connected: false, state: "offline" };
  const cases: [reason: string, name: string, parts: Parts, check: object][] = [
    ["succeeds with a connection", "broker", partsWith(), { ok: true }],
    [
      "names the error of the connection",
      "broker",
      partsWith({ connection: { ...offline, lastError: "refused" } }),
      { ok: false, detail: "refused" },
    ],
    [
      "names the state without an error",
      "broker",
      partsWith({ connection: offline }),
      { ok: false, detail: "offline" },
    ],
    [
      "is that of the uplink",
      "uplink",
      partsWith({ receiver: { isSynchronized: false } }),
      { ok: false, detail: "the subscriptions do not follow the webhooks yet" },
    ],
    ["succeeds with a store that answers", "store", partsWith(), { ok: true }],
    ["accepts a flush of five seconds", "store", partsWith({ receiver: { oldestFlushMs: 5_000 } }), { ok: true }],
    [
      "refuses a longer flush",
      "store",
      partsWith({ receiver: { oldestFlushMs: 5_501 } }),
      { ok: false, detail: "a batch waits for 6 s" },
    ],
    [
      "is that of the canary",
      "consumption",
      partsWith({ canary: { probe: async () => ({ ok: false }) } }),
      { ok: false },
    ],
  ];
  for (const [reason, name, parts, check] of cases) {
    it(`${name}: ${reason}`, async () => assert.deepEqual(await createProbes(parts)[name]!(), check));
  }

  it("store: rejects with the store's error", async () => {
    const { store } = createProbes(partsWith({ store: { ping: away } }));
    await assert.rejects(async () => store!(), /away/);
  });
});

describe("the status", () => {
  const of = (parts: Parts) => createStatus(parts)();
  const connected = { url: "mqtt://b", embedded: false, connected: true, protocol: "5", ...GRANTED, error: null };
  const session = { ...CONNECTED, pending: 3 };
  const cases: [reason: string, parts: Parts, shown: object][] = [
    ["has the broker", partsWith(), { broker: connected }],
    [
      "has the error of the broker",
      partsWith({ connection: { connected: false, lastError: "no" } }),
      { broker: { ...connected, connected: false, error: "no" } },
    ],
    [
      "has no protocol before the first connection",
      partsWith({ connection: { protocol: undefined } }),
      { broker: { ...connected, protocol: null } },
    ],
    [
      "has the configuration that was applied",
      { ...partsWith(), configuration: { status: CONFIGURATION } },
      { configuration: CONFIGURATION },
    ],
    ["has no configuration without CONFIG_DIR", partsWith(), { configuration: undefined }],
    ["has no broker without a connection", partsWith({ runs: { connection: false } }), { broker: null }],
    [
      "has the warnings of the store and of the settings",
      partsWith(),
      { store: { kind: "embedded", warnings: ["w1", "w2"], capacity: CAPACITY } },
    ],
    [
      "has no capacity while the store is away",
      partsWith({ store: { capacity: away } }),
      { store: { kind: "embedded", warnings: ["w1", "w2"], capacity: null } },
    ],
    [
      "has no grants of a broker that is away",
      { ...partsWith(), granted: () => undefined },
      { broker: { ...connected, maximumQos: null, retainAvailable: null } },
    ],
    ["has the receiver", partsWith(), { lanes: [{ lane: 0, holder: "i", here: true, sessions: [session] }] }],
    [
      "has no receiver before the first election",
      partsWith({ receiver: { holder: { name: undefined, here: false }, sessions: [] } }),
      { lanes: [{ lane: 0, holder: null, here: false, sessions: [] }] },
    ],
    ["has the ledger", partsWith(), { books }],
    [
      "has all else without the store",
      partsWith({ ledgers: { deliveries: { total: away } } }),
      { books: null, webhooks: 1 },
    ],
    ["has the settings", partsWith(), { settings: { PORT: 8080 } }],
    ["names instance and roles", partsWith(), { instance: "i", roles: ["api"] }],
  ];
  for (const [reason, parts, shown] of cases) {
    it(reason, async () => {
      const status: Record<string, unknown> = await of(parts);
      assert.deepEqual(Object.fromEntries(Object.keys(shown).map((name) => [name, status[name]])), shown);
    });
  }

  it("has nothing about other webhooks, topics and totals for a key that sees only some webhooks", async () => {
    const refused = [{ filter: "hidden/#", reason: "hidden" }];
    const parts = {
      ...partsWith({
        connection: { lastError: "hidden" },
        receiver: { sessions: [{ status: { ...CONNECTED, refused }, pending: 3 }] },
        ledgers: { messages: { read: () => Promise.reject(new Error("not read")) } },
      }),
      configuration: { status: CONFIGURATION },
    };
    const { version, node, startedAt, uptimeSeconds, ...rest } = await createStatus(parts)(["wh_1", "wh_2"]);
    assert.deepEqual(rest, {
      instance: "i",
      roles: ["api"],
      broker: { connected: true, protocol: "5", ...GRANTED },
      store: { kind: "embedded" },
      lanes: [{ lane: 0, holder: "i", here: true, sessions: [] }],
      webhooks: 2,
    });
  });

  it("has the version of the package and the time since the start", async (t) => {
    t.mock.timers.enable({ apis: ["Date"], now: 1_000 });
    const status = createStatus(partsWith());
    t.mock.timers.tick(2_999);
    const { version, startedAt, uptimeSeconds } = await status();
    assert.match(version, /^\d+\.\d+\.\d+/);
    assert.deepEqual([startedAt, uptimeSeconds], ["1970-01-01T00:00:01.000Z", 2]);
  });
});

describe("the depths for the metrics", () => {
  const many = (size: number) => ({ size, all: () => Array.from({ length: size }, (_, i) => ({ id: `wh_${i}` })) });
  const waiting = { webhook: "wh_1", pending: 1, retrying: 2, active: 3, failed: 4 };
  const cases: [reason: string, parts: Parts, read: object][] = [
    ["have the deliveries of a webhook", partsWith(), { waiting: [waiting] }],
    ["have none of a webhook that cannot be counted", partsWith({ deliveries: { count: away } }), { waiting: [] }],
    [
      "have the sum of all sessions",
      partsWith({ receiver: { sessions: [{ pending: 3 }, { pending: 4 }] } }),
      { uplinkPending: 7 },
    ],
    ["have nothing pending without sessions", partsWith({ receiver: { sessions: [] } }), { uplinkPending: 0 }],
    ["have the outbox and the failing webhooks", partsWith(), { outboxWaiting: 7, failing: 2, webhooks: 1 }],
    [
      "have no number where the outbox cannot be counted",
      partsWith({ outbox: { waiting: away } }),
      { outboxWaiting: Number.NaN },
    ],
    ["have the working parts", partsWith(), { up: { broker: true, store: true } }],
    [
      "have the parts that do not work",
      partsWith({ store: { ping: away }, connection: { connected: false } }),
      { up: { broker: false, store: false } },
    ],
    ["have no broker without a connection", partsWith({ runs: { connection: false } }), { up: { store: true } }],
    ["have no ledger without the store", partsWith({ ledgers: { deliveries: { total: away } } }), { books: undefined }],
  ];
  for (const [reason, parts, wanted] of cases) {
    it(reason, async () => {
      const read = (await queueDepths(parts)) as Record<string, unknown>;
      assert.deepEqual(Object.fromEntries(Object.keys(wanted).map((name) => [name, read[name]])), wanted);
    });
  }

  for (const [size, counted] of [
    [0, 0],
    [MAX_LABELLED_WEBHOOKS, MAX_LABELLED_WEBHOOKS],
    [MAX_LABELLED_WEBHOOKS + 1, 0],
  ] as const) {
    it(`have ${counted} of ${size} webhooks`, async () => {
      const { waiting, webhooks } = await queueDepths(partsWith({ webhooks: many(size) }));
      assert.deepEqual([waiting.length, webhooks], [counted, size]);
    });
  }
});
