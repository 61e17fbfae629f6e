/** One delivery attempt: the request sent, and the consequences of each response. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DelayedError, type Job, RateLimitError, UnrecoverableError } from "bullmq";
import { Webhook as Verifier } from "standardwebhooks";
import { newId, toStored } from "../../../src/message.ts";
import type { AttemptResult } from "../../../src/uplink/attempt.ts";
import type { Attempted, Sending } from "../../../src/uplink/deliver/attempt.ts";
import { createDeliver, type DeliverPorts } from "../../../src/uplink/deliver/deliver.ts";
import { backoff, RetryLater } from "../../../src/uplink/deliver/job-outcome.ts";
import type { Call } from "../../../src/uplink/egress/exchange.ts";
import type { Prepared } from "../../../src/uplink/expressions/apply.ts";
import type { AttemptEntry, DeliveryJob } from "../../../src/uplink/queue/job.ts";
import { newSecret } from "../../../src/uplink/request/signature.ts";
import { DEFAULTS, type Webhook } from "../../../src/webhooks/webhook.ts";
import { testHealth } from "../health/health-records-support.ts";

const webhook: Webhook = {
  ...DEFAULTS,
  id: "wh_1",
  url: "https://example.com/hook",
  topics: ["t"],
  secret: newSecret(),
  headers: { "x-tenant": "7" },
  retry: { scheduleSeconds: [10, 20] },
  createdAt: "",
  updatedAt: "",
};

const CALL = { eventSource: "/causeway", maxPayloadBytes: 1_000 };
const SILENT: DeliverPorts["observe"] = {
  attempted: () => {},
  filtered: () => assert.fail("nothing is filtered"),
  notReplied: () => {},
  replyFailed: () => {},
};

function setup(result: AttemptResult, changes: Partial<Webhook> | undefined = {}, prepared?: Prepared) {
  const calls: Call[] = [];
  const observed: (Pick<Sending, "webhook" | "message" | "attempt"> & Attempted)[] = [];
  const replyFailures: Error[] = [];
  const rests: number[] = [];
  const deadLetters: number[] = [];
  const delayedTo: number[] = [];
  const logged: AttemptEntry[] = [];
  const filtered: string[] = [];
  const registered = () => (changes ? { ...webhook, ...changes } : undefined);
  const { health, disabled } = testHealth(registered);
  const deliver = createDeliver("wh_1", {
    webhooks: { get: registered },
    prepare: (_webhook, message) => prepared ?? { kind: "send", message },
    health,
    call: {
      async send(call) {
        calls.push(call);
        return result;
      },
      ...CALL,
    },
    outbox: { accept: () => Promise.reject(new Error("the store is away")) },
    deadLetters: { deadLetter: async (_webhook, _message, attempts) => void deadLetters.push(attempts) },
    observe: {
      ...SILENT,
      attempted: (sending, attempted) => observed.push({ ...sending, ...attempted }),
      filtered: (_webhook, { id }) => filtered.push(id),
      replyFailed: (error) => replyFailures.push(error),
    },
  });
  const run = (attemptsMade = 0) => {
    const message = {
      topic: "t",
      payload: Buffer.from("1.10"),
      qos: 1 as const,
      retain: false,
      receivedAt: Date.now(),
    };
    const job = {
      id: newId("msg"),
      attemptsMade,
      data: toStored({ ...message, id: "" }),
      moveToDelayed: async (at: number) => void delayedTo.push(at),
      log: async (row: string) => logged.push(JSON.parse(row)),
    } as unknown as Job<DeliveryJob>;
    return deliver(job, "token", { pause: async (ms) => void rests.push(ms) });
  };
  return { run, calls, observed, replyFailures, rests, disabled, deadLetters, delayedTo, logged, filtered };
}

const answered = (statusCode: number, retryAfter?: string): AttemptResult => ({
  statusCode,
  durationMs: 3,
  ...(retryAfter && { retryAfter }),
  ...(statusCode >= 300 && { error: "http_error" }),
});

describe("a delivery attempt", () => {
  it("signs its request, with the current registration", async () => {
    const { run, calls } = setup(answered(204));
    const kept = await run();
    const { url, headers, body, timeoutMs } = calls[0]!;
    assert.equal(url, webhook.url);
    assert.equal(timeoutMs, 15_000);
    assert.equal(headers["x-tenant"], "7");
    assert.equal(headers["causeway-attempt"], "1");
    new Verifier(webhook.secret).verify(body.toString(), headers);
    assert.match(body.toString(), /"data":1\.10\}$/);
    assert.deepEqual({ ...kept, at: "" }, { at: "", statusCode: 204, error: null, durationMs: 3 });
  });

  it("uses the method of the webhook, and the URL for the topic", async () => {
    const { run, calls } = setup(answered(204), { method: "PUT", url: "https://example.com/{topic[0]}?all={topic}" });
    await run();
    assert.deepEqual([calls[0]!.method, calls[0]!.url], ["PUT", "https://example.com/t?all=t"]);
  });

  it("fails for good, without a call, where the topic does not fit the URL", async () => {
    const { run, calls, deadLetters, rests } = setup(answered(204), { url: "https://example.com/{topic[3]}" });
    const error = await run().catch((caught: unknown) => caught);
    assert.ok(error instanceof UnrecoverableError);
    const kept: AttemptEntry = JSON.parse(error.stack!);
    assert.deepEqual([kept.error, kept.detail], ["url_error", "the topic has no level 3"]);
    assert.deepEqual([calls, deadLetters, rests], [[], [1], []]);
  });

  it("is retried after the time of the schedule, and recorded with the job", async () => {
    const { run, rests } = setup(answered(500));
    const error = await run(1).catch((caught: unknown) => caught);
    assert.ok(error instanceof RetryLater);
    assert.ok(Math.abs(error.delayMs - 20_000) <= 4_000);
    assert.equal(backoff(2, "custom", error), error.delayMs);
    assert.equal(JSON.parse(error.stack!).statusCode, 500);
    assert.deepEqual(rests, [], "an answer of 500 slows nothing else down");
  });

  it("records no credential that the receiver echoes", async () => {
    const headers = { "x-api-key": "k3y-value" };
    const auth = { type: "bearer", token: "t0ken-value" } as const;
    const responseBody = "Bearer t0ken-value, k3y-value, acc3ss-token, t0ken-va";
    const { run } = setup({ ...answered(404), responseBody, accessToken: "acc3ss-token" }, { headers, auth });
    const error = await run(2).catch((caught: unknown) => caught);
    assert.ok(error instanceof UnrecoverableError);
    const kept: AttemptEntry = JSON.parse(error.stack!);
    assert.equal(kept.responseBody, "Bearer ********, ********, ********, ********");
    assert.doesNotMatch(error.stack! + error.message, /acc3ss/);
  });

  it("becomes a dead letter when the schedule is used up", async () => {
    const { run, logged, deadLetters } = setup({ ...answered(404), responseBody: "who?" });
    const error = await run(2).catch((caught: unknown) => caught);
    assert.ok(error instanceof UnrecoverableError);
    assert.equal(JSON.parse(error.message).statusCode, 404);
    assert.equal(JSON.parse(error.stack!).responseBody, "who?");
    assert.doesNotMatch(error.message, /who/, "the answer is kept once");
    assert.deepEqual(logged, [], "no round trip for what is kept with the end of the job");
    assert.deepEqual(deadLetters, [3]);
  });

  for (const [name, result] of [
    ["502", answered(502)],
    ["a time-out", { error: "timeout", durationMs: 1 } as const],
  ] as const) {
    it(`pauses the endpoint after ${name}, longer each time`, async () => {
      const { run, rests } = setup(result);
      for (let i = 0; i < 7; i++) await assert.rejects(run());
      assert.deepEqual(rests, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    });
  }

  it("makes no call for messages that the filter drops", async () => {
    const { run, calls, observed, filtered } = setup(answered(500), {}, { kind: "filtered" });
    assert.deepEqual(await run(), { filtered: true });
    assert.deepEqual([calls.length, observed.length, filtered.length], [0, 0, 1]);
  });

  it("becomes a dead letter at once, with the reason, when an expression fails", async () => {
    const failure = { error: "transform_error", detail: "the result is nothing", durationMs: 1 } as const;
    const { run, calls, rests, observed } = setup(answered(204), {}, { kind: "failed", result: failure });
    const error = await run().catch((caught: unknown) => caught);
    assert.ok(error instanceof UnrecoverableError);
    const { statusCode, error: kind, detail } = JSON.parse(error.message);
    assert.deepEqual([statusCode, kind, detail], [null, "transform_error", "the result is nothing"]);
    assert.deepEqual([calls.length, rests.length, observed[0]!.decision.kind], [0, 0, "dead"]);
  });

  it("pauses the whole endpoint as Retry-After demands, and uses up no attempt", async () => {
    const { run, rests, logged } = setup({ ...answered(429, "7"), responseBody: "slow down" });
    await assert.rejects(run(), RateLimitError);
    assert.deepEqual(rests, [7_000]);
    assert.deepEqual(
      logged.map(({ statusCode, error, responseBody }) => [statusCode, error, responseBody]),
      [[429, "http_error", "slow down"]],
    );
  });

  it("disables the webhook on 410 and keeps the delivery", async () => {
    const { run, disabled, logged } = setup(answered(410));
    await assert.rejects(run(), RateLimitError);
    assert.deepEqual(
      logged.map(({ statusCode }) => statusCode),
      [410],
    );
    assert.deepEqual(disabled, ["the endpoint answered 410 Gone"]);
  });

  for (const [name, changes] of [
    ["paused", { enabled: false }],
    ["disabled", { disabled: { at: "", reason: "" } }],
  ] as const) {
    it(`is postponed while the webhook is ${name}`, async () => {
      const { run, calls, delayedTo } = setup(answered(204), changes);
      await assert.rejects(run(), DelayedError);
      assert.equal(calls.length, 0);
      assert.equal(delayedTo.length, 1);
    });
  }

  it("waits without a call while the breaker is open", async () => {
    const { run, calls, rests } = setup(answered(500));
    for (let i = 0; i < 10; i++) await assert.rejects(run(), RetryLater);
    assert.deepEqual(rests, [30_000], "ten answers of 500 in a row open it");
    await assert.rejects(run(), RateLimitError);
    assert.equal(calls.length, 10);
    assert.deepEqual(rests, [30_000, 30_000]);
  });

  it("is repeated, without using up an attempt, when the reply could not be stored", async () => {
    const replied = { statusCode: 200, durationMs: 1, body: Buffer.from("yes") };
    const { run, observed, delayedTo, replyFailures } = setup(replied, { replyTopic: "replies" });
    await assert.rejects(run(), DelayedError);
    assert.equal(delayedTo.length, 1);
    assert.equal(replyFailures.length, 1);
    assert.deepEqual(observed, []);
  });

  it("does not end the job of a removed webhook, which is removed with the queue", async () => {
    const delayedTo: number[] = [];
    const job = { moveToDelayed: async (at: number) => void delayedTo.push(at) } as unknown as Job<DeliveryJob>;
    const deliver = createDeliver("wh_1", {
      webhooks: { get: () => undefined },
      prepare: (_webhook, message) => ({ kind: "send", message }),
      health: testHealth(() => undefined).health,
      call: { send: () => assert.fail("called"), ...CALL },
      outbox: { accept: () => assert.fail("replied") },
      deadLetters: { deadLetter: async () => {} },
      observe: SILENT,
    });
    await assert.rejects(deliver(job, undefined, { pause: async () => {} }), DelayedError);
    assert.equal(delayedTo.length, 1);
  });
});
