/** Replays in the background, and the ledgers of a webhook's deliveries. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { connectAsync, type MqttClient } from "mqtt";
import type { TestBridge } from "../support/bridge.ts";
import { eventually } from "../support/eventually.ts";
import { publishLoad } from "../support/load.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { embedded, mosquittoAndRedis, type Setup } from "../support/setups.ts";

type Json = Record<string, unknown>;

const NONE = { scheduleSeconds: [] };
const MAX_WAITING = 200;
const RESTARTED_MS = 60_000;

// At the same time: both mostly wait for the locks of a killed bridge to expire.
describe("replays", { concurrency: true }, () => {
  for (const { kind, many } of [
    { kind: embedded, many: 400 },
    { kind: mosquittoAndRedis("5"), many: 800 },
  ]) {
    describe(`replays: ${kind.name}`, { ...kind.options, concurrency: 1 }, () => {
      let setup: Setup;
      let bridge: TestBridge;
      let receiver: Receiver;
      let device: MqttClient;
      const answers = new Map<string, number>();

      before(async () => {
        setup = await kind.start({ MAX_WAITING_DELIVERIES: String(many) });
        bridge = setup.bridge;
        receiver = await startReceiver();
        receiver.answer = ({ path }) => answers.get(path) ?? 204;
        device = await connectAsync(setup.brokerUrl);
      });
      after(async () => {
        await device.endAsync();
        await setup.close();
        await receiver.close();
      });

      const register = async (name: string, webhook: Json = {}) =>
        (await bridge.register({ url: `${receiver.url}/${name}`, topics: [`${name}/#`], retry: NONE, ...webhook })).id;
      const counts = async (id: string) => (await bridge.api("GET", `/v1/webhooks/${id}`)).body.counts;
      const replay = (id: string, body: Json) => bridge.api("POST", `/v1/webhooks/${id}/replay`, body);
      const read = async (id: string, replayId: string) =>
        (await bridge.api("GET", `/v1/webhooks/${id}/replays/${replayId}`)).body;
      const idsAt = (path: string) =>
        receiver.attempts.filter((call) => call.path === path).map(({ headers }) => String(headers["webhook-id"]));
      /** Makes `count` failed deliveries, by an expression that fails: failing calls would open the breaker. */
      async function failed(name: string, count: number, webhook: Json = {}): Promise<string> {
        const id = await register(name, { transform: "$error('not yet')", ...webhook });
        const load = publishLoad(setup.brokerUrl, { count, perSecond: 2_000, topic: name });
        await load.done;
        await load.close();
        await eventually(
          () => counts(id),
          (now) => now.failed === count,
          60_000,
        );
        await bridge.api("PATCH", `/v1/webhooks/${id}`, { transform: null });
        return id;
      }

      it("makes the failed deliveries of a period again, in order and with their ids", async () => {
        const id = await failed("some", 40, { concurrency: 1 });
        const { items } = (await bridge.api("GET", `/v1/webhooks/${id}/deliveries?limit=250`)).body;
        const first: string[] = items.map(({ messageId }: Json) => messageId);
        const received = items.map(({ receivedAt }: Json) => String(receivedAt)).sort();
        const since = received[10];
        const wanted = items.filter(({ receivedAt }: Json) => String(receivedAt) >= since).length;
        const counted = await replay(id, { status: "failed", since, dryRun: true });
        const { status, body, headers } = await replay(id, { status: "failed", since, dryRun: false });
        assert.deepEqual([counted.status, counted.body], [200, { count: body.count }]);
        assert.equal(status, 202);
        assert.match(body.id, /^rpl_/);
        assert.equal(headers.get("location"), `/v1/webhooks/${id}/replays/${body.id}`);
        assert.ok(Math.abs(body.count - wanted) <= 2, `${body.count} counted, ${wanted} wanted`);
        const finished = await eventually(
          () => read(id, body.id),
          ({ state }) => state === "finished",
        );
        assert.deepEqual([finished.done, finished.count], [body.count, body.count]);
        assert.ok(finished.finishedAt >= finished.createdAt);
        await eventually(
          () => counts(id),
          (now) => now.succeeded >= body.count && now.pending + now.active === 0,
        );
        const again = idsAt("/some");
        assert.deepEqual(again, [...first].sort().slice(-again.length));
        assert.equal((await counts(id)).failed, 40 - again.length);

        const late = await bridge.api("DELETE", `/v1/webhooks/${id}/replays/${body.id}`);
        assert.deepEqual([late.status, late.body.code], [409, "conflict"]);
        const none = await replay(id, { status: "succeeded", until: received[0] });
        assert.equal(none.body.count, 0);
        await eventually(
          () => read(id, none.body.id),
          ({ state }) => state === "finished",
        );
      });

      it("refuses invalid requests, and a second replay while one runs", async () => {
        const id = await failed("refused", 100);
        await bridge.api("PATCH", `/v1/webhooks/${id}`, { enabled: false });
        for (const [body, path] of [
          [{ status: "failed", since: "2026-03-02T00:00:00Z", until: "2026-03-01T00:00:00Z" }, "since"],
          [{ status: "failed", until: "soon" }, "until"],
          [{ status: "failed", until: "soon", dryRun: true }, "until"],
          [{ status: "failed", dryRun: "yes" }, "dryRun"],
          [{ status: "pending" }, "status"],
          [{}, "status"],
        ] as const) {
          const answer = await replay(id, body);
          assert.deepEqual([answer.status, answer.body.errors?.[0].path], [400, path]);
        }
        assert.equal((await bridge.api("GET", `/v1/webhooks/${id}/replays/rpl_none`)).status, 404);
        const counting = Array.from({ length: 3 }, () => replay(id, { status: "failed", dryRun: true }));
        const counted = await Promise.all(counting);
        assert.deepEqual(
          counted.map(({ status, body }) => [status, body.count]),
          Array(3).fill([200, 100]),
        );
        assert.equal((await counts(id)).failed, 100, "a dry run changes nothing");
        const both = await Promise.all([replay(id, { status: "failed" }), replay(id, { status: "failed" })]);
        assert.deepEqual(both.map(({ status }) => status).sort(), [202, 409]);
        const { body } = both.find(({ status }) => status === 202)!;
        assert.equal(body.count, 100);
        // The deliveries of a paused webhook wait again.
        await eventually(
          () => read(id, body.id),
          ({ state }) => state === "finished",
        );
        const { failed: left, pending } = await counts(id);
        assert.deepEqual([left, pending], [0, 100]);
        const other = await register("other");
        assert.equal((await bridge.api("GET", `/v1/webhooks/${other}/replays/${body.id}`)).status, 404);
      });

      it("is cancelled, by a call or with its webhook", async () => {
        const id = await failed("cancelled", many);
        await bridge.api("PATCH", `/v1/webhooks/${id}`, { enabled: false });
        const { body } = await replay(id, { status: "failed" });
        assert.equal((await bridge.api("DELETE", `/v1/webhooks/${id}/replays/${body.id}`)).status, 204);
        const { state, finishedAt } = await read(id, body.id);
        assert.deepEqual([state, typeof finishedAt], ["cancelled", "string"]);
        const { failed: left, pending } = await counts(id);
        assert.equal(left + pending, many);
        assert.ok(left > 0, "it was too fast to be cancelled");
        const second = await replay(id, { status: "failed" });
        assert.equal(second.status, 202, "it does not stand in the way of another one");
        assert.equal((await bridge.api("DELETE", `/v1/webhooks/${id}`)).status, 204);
        assert.equal((await bridge.api("GET", `/v1/webhooks/${id}/replays/${second.body.id}`)).status, 404);
        // The bridge keeps working: a replay of another webhook runs afterwards.
        const next = await failed("next", 3);
        const third = await replay(next, { status: "failed" });
        await eventually(
          () => read(next, third.body.id),
          (now) => now.state === "finished",
        );
      });

      it("loses no delivery when the process is killed during a replay", async (t) => {
        const id = await failed("killed", many, { concurrency: 50 });
        const called = receiver.attempts.length;
        const { body } = await replay(id, { status: "failed" });
        await eventually(
          () => read(id, body.id),
          ({ done }) => done > 0,
        );
        await bridge.kill();
        await bridge.start();
        const resumed = await read(id, body.id);
        t.diagnostic(
          `${resumed.done} of ${many} were done at the kill, ${receiver.attempts.length - called} were called`,
        );
        assert.equal(resumed.state, "running", "killed too late to tell anything");
        const finished = await eventually(
          () => read(id, body.id),
          ({ state }) => state === "finished",
          RESTARTED_MS,
        );
        assert.deepEqual([finished.count, finished.done], [many, many]);
        await eventually(
          () => counts(id),
          (now) => now.pending + now.active + now.retrying === 0,
          RESTARTED_MS,
        );
        assert.equal(new Set(idsAt("/killed")).size, many);
        const now = await counts(id);
        assert.equal(now.failed, 0);
      });

      it("discards the oldest deliveries beyond the limit, and the ledgers agree", async () => {
        const id = await register("books", { enabled: false });
        const total = many + MAX_WAITING + 150;
        const load = publishLoad(setup.brokerUrl, { count: total, perSecond: 3_000, topic: "books" });
        await load.done;
        await load.close();
        const sum = (now: Record<string, number>) => Object.values(now).reduce((all, each) => all + each, 0);
        const waiting = await eventually(
          () => counts(id),
          (now) => sum(now) === total && now.pending === many,
          45_000,
        );
        assert.equal(waiting.discarded, MAX_WAITING + 150);
        answers.set("/books", 204);
        // The sum holds as long as fewer deliveries finish than finished ones are kept.
        await bridge.api("PATCH", `/v1/webhooks/${id}`, { enabled: true });
        await receiver.until((calls) => calls.filter(({ path }) => path === "/books").length >= many, 60_000);
        const end = await eventually(
          () => counts(id),
          (now) => now.pending + now.active === 0,
        );
        assert.equal(end.failed + end.retrying, 0);
        assert.ok(end.succeeded >= Math.min(1_000, many) && end.discarded === MAX_WAITING + 150);
        if (many < 1_000) assert.equal(sum(end), total);
        const metrics = (await bridge.api("GET", "/metrics")).bytes.toString();
        assert.match(
          metrics,
          new RegExp(`causeway_deliveries_discarded_total\\{webhook="${id}"\\} ${MAX_WAITING + 150}\\n`),
        );
        assert.match(bridge.output, /deliveries_discarded/);
        // The oldest ones were discarded.
        const delivered = receiver.calls.filter(({ path }) => path === "/books");
        const numbers = delivered.map(({ body }) => Number(JSON.parse(body.toString()).data));
        assert.ok(Math.min(...numbers) >= MAX_WAITING + 150 - 200, `number ${Math.min(...numbers)} was kept`);
      });
    });
  }
});
