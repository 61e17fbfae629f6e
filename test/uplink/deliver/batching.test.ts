/** Batches: when one leaves, its events, and the result of each event. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HTTP } from "cloudevents";
import { Webhook as Verifier } from "standardwebhooks";
import { newId } from "../../../src/message.ts";
import type { AttemptResult } from "../../../src/uplink/attempt.ts";
import { Batches, jobsAtOnce } from "../../../src/uplink/deliver/batching.ts";
import type { Call } from "../../../src/uplink/egress/exchange.ts";
import { newSecret } from "../../../src/uplink/request/signature.ts";
import { DEFAULTS, type Webhook } from "../../../src/webhooks/webhook.ts";

const webhook: Webhook = {
  ...DEFAULTS,
  id: "wh_1",
  url: "https://example.com/hook",
  topics: ["t"],
  secret: newSecret(),
  headers: { "x-tenant": "7" },
  retry: { scheduleSeconds: [10] },
  batch: { maxSize: 3, maxWaitMs: 60_000 },
  concurrency: 1,
  createdAt: "",
  updatedAt: "",
};

type Reply = Partial<AttemptResult>;

function setup(reply: (call: Call, ids: string[]) => Reply | Promise<Reply> = () => ({ statusCode: 204 })) {
  const calls: Call[] = [];
  const brakes: boolean[] = [];
  const batches = new Batches({
    eventSource: "/causeway",
    async send(call) {
      calls.push(call);
      return { durationMs: 3, ...(await reply(call, idsOf(call))) };
    },
    brake: (on) => void brakes.push(on),
  });
  const add = (changes: Partial<Webhook> = {}, payload = "1.10", attempt = 1) => {
    const message = { id: newId("msg"), topic: "t", payload: Buffer.from(payload), qos: 1 as const, retain: false };
    const result = batches.call(
      { ...webhook, ...changes },
      { ...message, receivedAt: Date.now() },
      attempt,
      Date.now(),
    );
    return { id: message.id, result };
  };
  return { add, calls, brakes, drain: () => batches.drain() };
}

const idsOf = ({ body }: Call): string[] => JSON.parse(body.toString()).map(({ id }: { id: string }) => id);

describe("a batch", () => {
  it("leaves when it is full, signed, in order of arrival, with payloads byte for byte", async () => {
    const { add, calls } = setup();
    const events = [add({}, "1.10"), add({}, "text", 3), add({}, "\xff")];
    for (const { result } of events) assert.equal((await result).statusCode, 204);
    assert.equal(calls.length, 1);
    const [{ url, headers, body }] = calls as [Call];
    assert.equal(url, webhook.url);
    assert.match(body.toString(), /"data":1\.10[,}]/);
    assert.match(headers["webhook-id"]!, /^batch_[0-9a-f-]{36}$/);
    assert.deepEqual([headers["causeway-attempt"], headers["x-tenant"]], ["3", "7"]);
    new Verifier(webhook.secret).verify(body.toString(), headers, { jsonParse: false });
    const parsed = HTTP.toEvent({ headers, body: body.toString() });
    assert.ok(Array.isArray(parsed));
    assert.deepEqual(
      parsed.map(({ id }) => id),
      events.map(({ id }) => id),
    );
  });

  it("leaves when its first event has waited long enough", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
    const { add, calls } = setup();
    const first = add();
    t.mock.timers.tick(59_999);
    const second = add();
    assert.equal(calls.length, 0);
    t.mock.timers.tick(1);
    await Promise.all([first.result, second.result]);
    assert.deepEqual(calls.map(idsOf), [[first.id, second.id]]);
    const third = add({ batch: { maxSize: 3, maxWaitMs: 0 } });
    await third.result;
    assert.deepEqual(idsOf(calls[1]!), [third.id]);
  });

  it("leaves at once when the worker closes, as do all following ones", async () => {
    const { add, calls, drain } = setup();
    const first = add();
    drain();
    await first.result;
    await add().result;
    assert.equal(calls.length, 2);
  });

  it("does not exceed 8 MiB, and stops the worker while too many bytes are held", async () => {
    const { add, calls, brakes } = setup();
    const large = "x".repeat(3 * 1024 * 1024);
    const events = Array.from({ length: 12 }, () => add({ batch: { maxSize: 500, maxWaitMs: 0 } }, large));
    await Promise.all(events.map(({ result }) => result));
    for (const call of calls) assert.ok(call.body.length <= 8 * 1024 * 1024 + 2, `${call.body.length} bytes`);
    assert.deepEqual(
      calls.flatMap(idsOf),
      events.map(({ id }) => id),
    );
    assert.deepEqual(brakes, [true, false]);
    await add({ batch: { maxSize: 500, maxWaitMs: 0 } }, "x".repeat(9 * 1024 * 1024)).result;
    assert.equal(idsOf(calls.at(-1)!).length, 1, "a single event leaves whatever its size");
  });

  it("waits while the allowed number of calls is in progress", async () => {
    const open: (() => void)[] = [];
    const { add, calls } = setup(() => new Promise((done) => open.push(() => done({ statusCode: 204 }))));
    const events = Array.from({ length: 9 }, () => add({ concurrency: 2 }));
    assert.equal(calls.length, 2);
    open.shift()!();
    await events[0]!.result;
    assert.equal(calls.length, 3);
    for (const answer of open) answer();
    await Promise.all(events.map(({ result }) => result));
  });

  it("fails exactly the events that the response names as failed", async () => {
    const { add, calls } = setup((_call, ids) => ({
      statusCode: 200,
      responseBody: JSON.stringify({ failed: [ids[0], "msg_unknown", 7] }),
    }));
    const results = await Promise.all([add(), add(), add()].map(({ result }) => result));
    assert.deepEqual(
      results.map(({ statusCode, error, batch }) => [statusCode, error, batch?.events, batch?.leads]),
      [
        [200, "not_accepted", 3, false],
        [200, undefined, 3, true],
        [200, undefined, 3, false],
      ],
    );
    assert.ok(calls[0]!.maxResponseBytes! >= 3 * 45);
  });

  for (const [what, reply, error] of [
    ["is no JSON", { statusCode: 200, responseBody: '"failed": [' }, undefined],
    ["names nothing", { statusCode: 200, responseBody: '{"failed": "all"}' }, undefined],
    [
      "is long and speaks of failed ones",
      { statusCode: 200, responseBody: '<p>"failed"', responseTruncated: true },
      undefined,
    ],
    [
      "names more than was read",
      { statusCode: 200, responseBody: ' {"failed":["msg_', responseTruncated: true },
      "not_accepted",
    ],
    ["is 500", { statusCode: 500, error: "http_error", responseBody: "{}" }, "http_error"],
    ["never came", { error: "timeout" }, "timeout"],
  ] as const) {
    it(`counts a response that ${what} for all of its events`, async () => {
      const { add } = setup(() => reply);
      const results = await Promise.all([add(), add(), add()].map(({ result }) => result));
      for (const result of results) assert.equal(result.error, error);
      assert.deepEqual(
        results.map(({ batch }) => batch?.leads),
        [true, false, false],
      );
    });
  }

  for (const reply of [{ statusCode: 429, retryAfter: "60" }, { statusCode: 410 }]) {
    it(`postpones unsent events after ${reply.statusCode}, since that uses up no attempt`, async () => {
      const { add, calls } = setup(() => ({ ...reply, error: "http_error" }));
      const events = [add(), add(), add(), add(), add()];
      for (const { result } of events) assert.equal((await result).statusCode, reply.statusCode);
      assert.equal(calls.length, 1);
    });
  }

  it("keeps the first 1 KiB of a long response with each event", async () => {
    const { add } = setup(() => ({ statusCode: 500, error: "http_error", responseBody: "x".repeat(2_000) }));
    const [first] = await Promise.all([add(), add(), add()].map(({ result }) => result));
    assert.equal(first!.responseBody!.length, 1_024);
  });
});

it("the worker takes as many jobs as its calls and the next call can hold, within bounds", () => {
  assert.equal(jobsAtOnce({ concurrency: 10 }), 10);
  assert.equal(jobsAtOnce({ concurrency: 1, batch: { maxSize: 500, maxWaitMs: 0 } }), 1_000);
  assert.equal(jobsAtOnce({ concurrency: 10, batch: { maxSize: 20, maxWaitMs: 0 } }), 220);
  assert.equal(jobsAtOnce({ concurrency: 100, batch: { maxSize: 500, maxWaitMs: 0 } }), 2_000);
});
