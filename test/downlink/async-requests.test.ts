/** Stored requests shared by several instances. */
import assert from "node:assert/strict";
import { describe, it, mock, type TestContext } from "node:test";
import { AsyncRequests, type StoredResponse } from "../../src/downlink/async-requests.ts";
import { PendingRequests } from "../../src/downlink/pending-requests.ts";
import type { RequestRecord } from "../../src/downlink/request-record.ts";
import { ShutForGood } from "../../src/downlink/stored-publish.ts";
import { Refused } from "../../src/errors.ts";
import { unwrap } from "../../src/http/problem.ts";
import type { Message } from "../../src/message.ts";
import { RecordCache } from "../../src/store/record-cache.ts";
import { Database } from "../../src/store/sqlite/database.ts";
import { sqliteRecords } from "../../src/store/sqlite/records.ts";
import { Watchers } from "../../src/store/watchers.ts";
import { temporaryDirectory } from "../support/directories.ts";

const log = { info() {}, warn() {}, error() {} };

/** Two instances on one store; the test decides when one is notified of a write by the other. */
async function start(t: TestContext, withdrawn: (id: string) => boolean = () => true) {
  const database = await Database.open({ dataDir: temporaryDirectory("requests"), log });
  const instances = [new Watchers(log), new Watchers(log)].map((watchers) => {
    const late: Message[] = [];
    const setAside: string[] = [];
    const topics: (readonly string[])[] = [];
    const view = new RecordCache(sqliteRecords<RequestRecord>(database, watchers, "requests"), log, "request");
    const responses = sqliteRecords<StoredResponse>(database, watchers, "responses");
    const pending = new PendingRequests({
      cache: view,
      responses,
      onSetAside: (id, reason) => setAside.push(`${id} ${reason}`),
    });
    pending.onTopics(() => topics.push(pending.topics));
    const requests = new AsyncRequests({
      cache: view,
      pending,
      responses,
      outbox: { accept: async () => undefined as never, withdraw: async (id) => withdrawn(id) },
      onLate: (message) => late.push(message),
      maxPending: 10,
    });
    return { watchers, view, pending, requests, late, topics, setAside };
  });
  for (const { view, pending } of instances) {
    await view.start();
    pending.start();
  }
  t.after(async () => {
    for (const { view, pending } of instances) {
      pending.stop();
      await view.stop();
    }
    await database.close();
  });
  return instances as [(typeof instances)[0], (typeof instances)[0]];
}

const prepared = (id: string) => ({
  id,
  message: { id, topic: "q", payload: Buffer.from(""), qos: 1 as const, retain: false },
  responseTopic: "r",
  filter: "r",
  match: "first" as const,
  correlation: "",
});
const answer = (receivedAt: number): Message => ({
  id: "msg_1",
  topic: "r",
  payload: Buffer.from("yes"),
  qos: 1,
  retain: false,
  receivedAt,
});

describe("stored requests over several instances", () => {
  it("accept a response that was stored before the instance learned of the request", async (t) => {
    const [one, two] = await start(t);
    await one.requests.accept(prepared("req_1"), 60);
    const receivedAt = Date.now();
    await assert.rejects(two.requests.answered(answer(receivedAt)), /no request waits for it yet/);
    const heard = new Promise<void>((resolve) => two.view.onChange(() => resolve()));
    two.watchers.notify("requests", "req_1");
    await heard;
    await two.requests.answered(answer(receivedAt));
    assert.match(unwrap(await one.requests.get("req_1", () => true)), /"outcome":"responded".*"payload":"yes"/);
    assert.deepEqual(two.late, []);
  });

  it("count a response as late if no request turns up for it in time", async (t) => {
    const [one] = await start(t);
    await one.requests.answered(answer(Date.now() - 3_000));
    assert.equal(one.late.length, 1);
  });

  it("stop listening for a response at the same time on all instances", async (t) => {
    const [one, two] = await start(t);
    // Restarts the sweeps on the mocked clock, at different times. A mocked clearTimeout would not end the real ones.
    for (const { pending } of [one, two]) pending.stop();
    mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1_000_003_000 });
    t.after(() => mock.timers.reset());
    for (const { pending } of [one, two]) {
      mock.timers.tick(1_500);
      pending.start();
    }
    await one.requests.accept(prepared("req_1"), 5);
    const heard = new Promise<void>((resolve) => two.view.onChange(() => resolve()));
    two.watchers.notify("requests", "req_1");
    await heard;
    assert.deepEqual([one.pending.topics, two.pending.topics], [["r"], ["r"]]);
    // 1,000,011 s plus one minute for late responses: dropped at the next multiple of ten seconds, 1,000,080 s.
    while (Date.now() < 1_000_080_000) mock.timers.tick(5); // Date.now() is the end of the tick during a tick
    assert.deepEqual([one.pending.topics, two.pending.topics], [["r"], ["r"]]);
    for (let i = 0; i < 4; i++) mock.timers.tick(5);
    assert.deepEqual([one.pending.topics, two.pending.topics], [[], []]);
  });
});

describe("a withdrawn stored request", () => {
  const all = () => true;
  const state = async (requests: AsyncRequests) => JSON.parse(unwrap(await requests.get("req_1", all)));

  it("stops listening at once if it was not published", async (t) => {
    const [one, two] = await start(t);
    await one.requests.accept(prepared("req_1"), 60);
    assert.deepEqual(one.pending.topics, ["r"]);
    await two.requests.cancel("req_1", all);
    one.watchers.notify("requests", "req_1");
    while (one.pending.topics.length > 0) await new Promise(setImmediate);
    assert.equal((await state(one.requests)).outcome, "cancelled");
    assert.equal(one.pending.size, 0);
    await one.requests.cancel("req_1", all);
  });

  it("listens for one more minute if it was published, and counts a response as late", async (t) => {
    const [one] = await start(t, () => false);
    mock.timers.enable({ apis: ["Date"], now: 1_000_003_000 });
    t.after(() => mock.timers.reset());
    await one.requests.accept(prepared("req_1"), 3_600);
    await one.requests.cancel("req_1", all);
    assert.deepEqual(one.pending.topics, ["r"]);
    await one.requests.answered(answer(Date.now() - 3_000));
    assert.equal(one.late.length, 1);
    assert.equal((await state(one.requests)).outcome, "cancelled");
    mock.timers.setTime(1_000_070_000);
    one.pending.stop();
    one.pending.start();
    assert.deepEqual(one.pending.topics, []);
  });

  it("stays withdrawn when another instance takes its response at the same time", async (t) => {
    const [one, two] = await start(t, () => false);
    await one.requests.accept(prepared("req_1"), 60);
    const heard = new Promise<void>((resolve) => two.view.onChange(() => resolve()));
    two.watchers.notify("requests", "req_1");
    await heard;
    await one.requests.cancel("req_1", all);
    await two.requests.answered(answer(Date.now()));
    assert.equal(two.late.length, 1);
    assert.deepEqual(await state(one.requests), { ...(await state(two.requests)), outcome: "cancelled" });
  });

  it("cannot be withdrawn after its end, and is unknown to a caller that may not publish to its topic", async (t) => {
    const [one] = await start(t);
    await one.requests.accept(prepared("req_1"), 60);
    const unknown = new Refused("not_found", "there is no request req_1");
    assert.deepEqual(await one.requests.cancel("req_1", () => false), unknown);
    await one.requests.answered(answer(Date.now()));
    assert.deepEqual(await one.requests.cancel("req_1", all), new Refused("conflict", "the device has responded"));
    assert.equal((await state(one.requests)).outcome, "responded");
    await one.requests.accept(prepared("req_2"), 0);
    assert.deepEqual(await one.requests.cancel("req_2", all), new Refused("conflict", "the request has expired"));
  });
});

describe("a stored request that cannot be published", () => {
  const all = () => true;
  const state = async (requests: AsyncRequests) => JSON.parse(unwrap(await requests.get("req_1", all)));
  const failure = (sent: boolean) => ({ at: Date.now(), error: "Not authorized", sent });

  it("has failed at once on all instances and stops listening", async (t) => {
    const [one, two] = await start(t);
    await one.requests.accept(prepared("req_1"), 60);
    await two.pending.failed({ id: "req_1" }, failure(false));
    one.watchers.notify("requests", "req_1");
    while (one.pending.topics.length > 0) await new Promise(setImmediate);
    const { outcome, error } = await state(one.requests);
    assert.deepEqual([outcome, error, one.pending.size], ["failed", "Not authorized", 0]);
    const refused = new Refused("conflict", "the request has failed: Not authorized");
    assert.deepEqual(await one.requests.cancel("req_1", all), refused);
    await assert.rejects(two.pending.ensureCached("req_1"), ShutForGood);
    await two.pending.failed({ id: "req_1" }, { ...failure(false), error: "again" });
    assert.equal((await state(one.requests)).error, "Not authorized");
    await two.pending.failed({ id: "req_2" }, failure(false));
  });

  it("listens for one more minute if it may have arrived, and counts a response as late", async (t) => {
    const [one] = await start(t);
    await one.requests.accept(prepared("req_1"), 60);
    await one.pending.failed({ id: "req_1" }, failure(true));
    assert.deepEqual([one.pending.topics, one.pending.size], [["r"], 0]);
    await one.requests.answered(answer(Date.now() - 3_000));
    assert.deepEqual([one.late.length, (await state(one.requests)).outcome], [1, "failed"]);
  });

  it("stays responded or withdrawn if it already was", async (t) => {
    const [one] = await start(t);
    await one.requests.accept(prepared("req_1"), 60);
    await one.requests.answered(answer(Date.now()));
    await one.pending.failed({ id: "req_1" }, failure(true));
    assert.equal((await state(one.requests)).outcome, "responded");
    await one.requests.accept(prepared("req_2"), 60);
    await one.requests.cancel("req_2", all);
    await one.pending.failed({ id: "req_2" }, failure(true));
    assert.equal(JSON.parse(unwrap(await one.requests.get("req_2", all))).outcome, "cancelled");
  });
});

describe("a stored request of an older version", () => {
  it("is set aside with the reason when no broker accepts its response topic, and can be withdrawn", async (t) => {
    const [one] = await start(t);
    const responseTopic = Array(101).fill("r").join("/");
    await one.requests.accept({ ...prepared("req_1"), responseTopic, filter: responseTopic }, 60);
    const reason = "responseTopic: must not have more than 100 levels";
    assert.deepEqual([one.pending.topics, one.pending.size], [[], 0]);
    assert.deepEqual(one.setAside, [`req_1 ${reason}`]);
    const { outcome, error } = JSON.parse(unwrap(await one.requests.get("req_1", () => true)));
    assert.deepEqual([outcome, error], ["failed", reason]);
    await one.requests.cancel("req_1", () => true);
  });
});
