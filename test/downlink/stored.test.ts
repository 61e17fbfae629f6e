/** `Prefer: respond-async` and `sendAt`, over the real app and the real outbox on the embedded store. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import request from "supertest";
import type { Outbox } from "../../src/downlink/outbox.ts";
import { prefersAsync } from "../../src/http/prefer.ts";
import { outboxOn, stores, TestBroker } from "./outbox-support.ts";
import { AUTH, type Downlink, MAX_PAYLOAD_BYTES, startDownlink } from "./support.ts";

const ASYNC = { prefer: "respond-async" };
const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1_000).toISOString();

describe("stored publishes", () => {
  let opened: Awaited<ReturnType<(typeof stores)[number]["open"]>>;
  let broker: TestBroker;
  let outbox: Outbox;
  let test: Downlink;
  before(async () => {
    opened = await stores.find(({ name }) => name === "embedded")!.open();
    broker = new TestBroker();
    outbox = outboxOn(opened.store, broker, { maxWaiting: 20 });
    await outbox.start();
    test = await startDownlink({ outbox });
  });
  after(async () => {
    await test.app.close();
    await outbox.stop();
    await opened.close();
  });
  beforeEach(() => broker.away());

  const post = (body: object | string, headers: Record<string, string> = ASYNC) =>
    request(test.app.server)
      .post("/v1/messages")
      .set({ ...AUTH, "content-type": "application/json", ...headers })
      .send(typeof body === "string" ? body : JSON.stringify(body));
  const get = (path: string) => request(test.app.server).get(path).set(AUTH);
  const remove = (path: string) => request(test.app.server).delete(path).set(AUTH);
  /** Publishes what waits, and a last message on `end`. */
  const publishAll = async () => {
    broker.back();
    const end = await post({ topic: "end" });
    while ((await get(end.headers.location!)).body.outcome === "queued") await new Promise(setImmediate);
  };

  it("responds with 202 while the broker is away, links the state, and publishes the payload as it was written", async () => {
    const { status, headers, body } = await post('{"topic":"t","payload":{"n":1.10},"expirySeconds":60}');
    assert.deepEqual([status, headers["preference-applied"]], [202, "respond-async"]);
    assert.equal(headers.location, `/v1/messages/${body.id}`);
    assert.equal(body.outcome, "queued");
    assert.equal(Date.parse(body.expiresAt) - Date.parse(body.acceptedAt), 60_000);
    const state = await get(headers.location!);
    assert.deepEqual([state.status, state.body], [200, { direction: "published", ...body }]);
    broker.back();
    const [message] = await broker.published.until(1);
    assert.deepEqual([message!.id, message!.payload.toString()], [body.id, '{"n":1.10}']);
    while ((await get(headers.location!)).body.outcome === "queued") await new Promise(setImmediate);
    const { status: ended, body: over } = await get(headers.location!);
    assert.deepEqual([ended, over.outcome, over.noMatchingSubscribers], [200, "acknowledged", false]);
    const late = await remove(headers.location!);
    assert.deepEqual([late.status, late.body.code], [409, "conflict"]);
    assert.equal(test.published.length, 0, "nothing went the direct way");
  });

  it("sendAt needs no Prefer, and the message can be withdrawn", async () => {
    const sendAt = inSeconds(3600);
    const { status, headers, body } = await post({ topic: "t", sendAt }, {});
    assert.deepEqual([status, headers["preference-applied"]], [202, undefined]);
    assert.deepEqual([body.outcome, body.sendAt], ["scheduled", sendAt]);
    assert.deepEqual([(await remove(headers.location!)).status, (await get(headers.location!)).status], [204, 404]);
    const gone = await remove(headers.location!);
    assert.deepEqual([gone.status, gone.body.code], [404, "not_found"]);
  });

  it("sendAt in the past means as soon as possible", async () => {
    const { status, body } = await post({ topic: "t", sendAt: "2020-03-01T00:00:00+01:00" }, {});
    assert.deepEqual([status, body.outcome, body.sendAt], [202, "queued", "2020-02-29T23:00:00.000Z"]);
    assert.equal((await remove(`/v1/messages/${body.id}`)).status, 204);
  });

  for (const [sendAt, message] of [
    ["tomorrow", /RFC 3339/],
    ["2026-03-01", /RFC 3339/],
    ["2026-03-01T22:00:00", /RFC 3339/],
    ["2026-02-30T22:00:00Z", /RFC 3339/],
    ["2016-12-31T23:59:60Z", /RFC 3339/],
    [inSeconds(31 * 24 * 3600), /30 days/],
  ] as const) {
    it(`refuses sendAt ${sendAt}`, async () => {
      const { status, body } = await post({ topic: "t", sendAt }, {});
      assert.deepEqual([status, body.code, body.errors[0].path], [400, "invalid_request", "sendAt"]);
      assert.match(body.errors[0].message, message);
    });
  }

  it("checks the message before it is stored", async () => {
    const before = broker.published.items.length;
    for (const [body, code] of [
      [{ topic: "a/+" }, "invalid_topic"],
      [{ topic: "t", payload: "x".repeat(MAX_PAYLOAD_BYTES + 1) }, "payload_too_large"],
      [{ topic: "t", responseTopic: "#" }, "invalid_topic"],
      [{ topic: "t", sendAt: 1 }, "invalid_request"],
    ] as const) {
      assert.equal((await post(body)).body.code, code);
    }
    await publishAll();
    const published = broker.published.items.slice(before);
    assert.deepEqual(
      published.map(({ topic }) => topic),
      ["end"],
    );
  });

  it("the same Idempotency-Key stores the message once and gets the same response", async () => {
    const headers = { ...ASYNC, "idempotency-key": "k-1" };
    const first = await post({ topic: "once", payload: "x" }, headers);
    const again = await post({ topic: "once", payload: "x" }, headers);
    assert.deepEqual([again.status, again.headers["idempotent-replayed"]], [202, "true"]);
    assert.equal(again.headers.location, first.headers.location);
    assert.deepEqual(again.body, first.body);
    await publishAll();
    assert.equal(broker.published.items.filter(({ topic }) => topic === "once").length, 1);
  });

  it("responds with 404 for an unknown stored message", async () => {
    for (const id of ["msg_019a3c60-1b2f-7e53-8a4e-3b7a8c1f2d90", "x", "meta"]) {
      for (const { status, body } of [await get(`/v1/messages/${id}`), await remove(`/v1/messages/${id}`)]) {
        assert.deepEqual([status, body.code], [404, "not_found"]);
      }
    }
  });

  it("responds with 429 when too many messages wait", async () => {
    for (;;) {
      const { status, headers, body } = await post({ topic: "t", sendAt: inSeconds(60) });
      if (status === 202) continue;
      assert.deepEqual([status, body.code, headers["retry-after"]], [429, "rate_limited", "1"]);
      return;
    }
  });
});

describe("Prefer", () => {
  for (const [header, expected] of [
    [undefined, false],
    ["", false],
    ["respond-async", true],
    ["Respond-Async", true],
    ["wait=10, respond-async", true],
    [" return=minimal , respond-async; foo=bar,handling=lenient", true],
    ['foo="respond-async", bar', false],
    ['foo="a, respond-async, b"', false],
    ['foo="\\", respond-async', false],
    ["respond-asynchronously", false],
    ["return=respond-async", false],
    [["wait=1", "respond-async"], true],
  ] as const) {
    it(`reads ${JSON.stringify(header)} as ${expected}`, () => assert.equal(prefersAsync(header as string), expected));
  }
});
