/** Metrics over time, through real bridges: what was sent is counted, across restarts, crashes and instances. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import type { TestBridge } from "../support/bridge.ts";
import { eventually } from "../support/eventually.ts";
import { embedded, mosquittoAndRedis, scenario } from "../support/scenario.ts";

interface Counts {
  enqueued: number;
  succeeded: number;
  failed: number;
  retried: number;
}

const NONE: Counts = { enqueued: 0, succeeded: 0, failed: 0, retried: 0 };
const QUERIES = [
  "",
  "?range=1h",
  "?range=1h&stepSeconds=3600",
  "?range=24h",
  "?range=24h&stepSeconds=60",
  "?range=30d",
];
/** The first write after a change comes within ten seconds. */
const WRITTEN_MS = 30_000;

/** The sums of the points, and of their messages if they have them. */
function sums(points: Record<string, number>[]): Record<string, number> {
  const names = [...Object.keys(NONE), ...("received" in points[0]! ? ["received", "published"] : [])];
  return Object.fromEntries(names.map((name) => [name, points.reduce((sum, point) => sum + point[name]!, 0)]));
}

// At the same time: they mostly wait for the next write of the figures.
describe("metrics over time", { concurrency: true }, () => {
  for (const kind of [embedded, mosquittoAndRedis("5")]) {
    describe(`metrics over time: ${kind.name}`, { ...kind.options, concurrency: 1 }, () => {
      const world = scenario(kind);
      let bridges: TestBridge[];
      let [good, bad] = [{ id: "" }, { id: "" }];

      const get = async (path: string, headers?: Record<string, string>) =>
        world.bridge.api("GET", path, undefined, headers);
      const ofWebhook = async (id: string, query = "") =>
        sums((await get(`/v1/webhooks/${id}/metrics${query}`)).body.points);
      const ofAll = async (query = "") => (await get(`/v1/metrics${query}`)).body;
      const publish = async (topic: string, count: number) => {
        for (let i = 0; i < count; i++) {
          const bridge = bridges[i % bridges.length]!;
          assert.equal((await bridge.api("POST", "/v1/messages", { topic, payload: i })).status, 200);
        }
      };
      const ended = (id: string, expected: number) =>
        eventually(
          async () => (await get(`/v1/webhooks/${id}`)).body.counts,
          (counts) => counts.succeeded + counts.failed === expected,
        );
      /** Restarts all, gracefully: nothing is lost. */
      const restart = async () => {
        await Promise.all(bridges.map((bridge) => bridge.stop()));
        for (const bridge of bridges) await bridge.start();
        await world.bridge.readiness(200);
      };

      before(async () => {
        bridges = [world.bridge, ...(kind.store === "redis" ? [await world.addBridge()] : [])];
        world.receiver.answer = ({ path }) => (path === "/bad" ? 500 : 204);
        // So long that a single instance does not take all deliveries before the other one gets some.
        world.receiver.delayMs = 20;
        const { url } = world.receiver;
        good = await world.bridge.register({ url: `${url}/good`, topics: ["good/#"] });
        bad = await world.bridge.register({ url: `${url}/bad`, topics: ["bad/#"], retry: { scheduleSeconds: [1] } });
        await world.bridge.api("POST", `/v1/webhooks/${good.id}/test`);
        await publish("good/1", 40);
        await publish("bad/1", 3);
        await ended(good.id, 41);
        await ended(bad.id, 3);
        await restart();
      });

      const expectedGood = { ...NONE, enqueued: 41, succeeded: 41 };
      const expectedBad = { ...NONE, enqueued: 3, failed: 3, retried: 3 };

      for (const query of QUERIES) {
        it(`agree with what was sent ${query}`, async () => {
          assert.deepEqual(await ofWebhook(good.id, query), expectedGood);
          assert.deepEqual(await ofWebhook(bad.id, query), expectedBad);
          const { points, webhooks } = await ofAll(query);
          // The three dead letters are announced on the broker.
          const messages = { received: 43, published: 46 };
          assert.deepEqual(sums(points), { enqueued: 44, succeeded: 41, failed: 3, retried: 3, ...messages });
          const totals = webhooks.map(({ p50Ms, p99Ms, ...total }: Record<string, number>) => {
            assert.ok(p50Ms! >= 14 && p99Ms! >= p50Ms!, `${p50Ms} ${p99Ms}`);
            return total;
          });
          assert.deepEqual(totals, [
            { id: good.id, ...expectedGood },
            { id: bad.id, ...expectedBad },
          ]);
        });
      }

      it("count the deliveries of every instance", async () => {
        await publish("good/2", 20 * bridges.length);
        await ended(good.id, 41 + 20 * bridges.length);
        for (const bridge of bridges) {
          const page = (await bridge.api("GET", "/metrics")).bytes.toString();
          assert.match(page, new RegExp(`causeway_deliveries_succeeded_total{webhook="${good.id}"} [1-9]`));
        }
      });

      it("are those of its own webhooks for a key with filters", async () => {
        const { body } = await world.bridge.api("POST", "/v1/keys", { name: "k", scopes: ["view"], read: ["bad/#"] });
        const as = { authorization: `Bearer ${body.key}` };
        for (const query of QUERIES) {
          const { points, webhooks } = (await get(`/v1/metrics${query}`, as)).body;
          assert.deepEqual(sums(points), expectedBad);
          const [{ p50Ms, p99Ms, ...total }] = webhooks;
          assert.deepEqual([webhooks.length, total, p99Ms >= p50Ms], [1, { id: bad.id, ...expectedBad }, true]);
        }
        assert.deepEqual(sums((await get(`/v1/webhooks/${bad.id}/metrics`, as)).body.points), expectedBad);
        assert.equal((await get(`/v1/webhooks/${good.id}/metrics`, as)).status, 404);
        const { body: other } = await world.bridge.api("POST", "/v1/keys", {
          name: "o",
          scopes: ["view"],
          read: ["#"],
        });
        const all = await get("/v1/metrics", { authorization: `Bearer ${other.key}` });
        assert.equal(sums(all.body.points).received, sums((await ofAll()).points).received);
      });

      const refused: [query: string, field: string][] = [
        ["?range=2h", "query.range"],
        ["?stepSeconds=59", "query.stepSeconds"],
        ["?stepSeconds=90", "query.stepSeconds"],
        ["?range=30d&stepSeconds=300", "query.stepSeconds"],
        ["?range=24h&stepSeconds=x", "query.stepSeconds"],
        ["?since=2026-01-01T00:00:00Z", "query.since"],
      ];
      for (const [query, field] of refused) {
        it(`refuse ${query} and name the field`, async () => {
          for (const path of ["/v1/metrics", `/v1/webhooks/${good.id}/metrics`]) {
            const { status, body } = await get(path + query);
            assert.deepEqual([status, body.code, body.errors[0].path], [400, "invalid_request", field]);
          }
        });
      }

      it("survive kill -9 up to the last write", async () => {
        const written = await eventually(
          () => ofWebhook(good.id),
          ({ succeeded }) => succeeded === 41 + 20 * bridges.length,
          WRITTEN_MS,
        );
        await publish("good/3", 1);
        await Promise.all(bridges.map((bridge) => bridge.kill()));
        for (const bridge of bridges) await bridge.start();
        await world.bridge.readiness(200);
        const { enqueued, succeeded } = await ofWebhook(good.id);
        const [least, most] = [written.enqueued!, written.enqueued! + 1];
        assert.ok(enqueued! >= least && enqueued! <= most && succeeded! >= least, `${least} ${enqueued} ${succeeded}`);
      });

      if (kind.store === "redis")
        it("answer 503 while the store is unavailable", async () => {
          world.redis!.signal("SIGSTOP");
          try {
            for (const path of ["/v1/metrics", "/v1/metrics?range=30d"]) {
              const { status, body } = await get(path);
              assert.deepEqual([status, body.code], [503, "store_unavailable"]);
            }
          } finally {
            world.redis!.signal("SIGCONT");
          }
          await eventually(
            () => get("/v1/metrics"),
            ({ status }) => status === 200,
          );
        });

      it("of a removed webhook are gone, and its deliveries stay in those of all", async () => {
        const before = sums((await ofAll()).points);
        await world.bridge.api("DELETE", `/v1/webhooks/${good.id}`);
        assert.equal((await get(`/v1/webhooks/${good.id}/metrics`)).status, 404);
        const { points, webhooks } = await ofAll();
        assert.deepEqual(
          webhooks.map(({ id }: { id: string }) => id),
          [bad.id],
        );
        assert.ok(sums(points).succeeded! >= before.succeeded!);
      });
    });
  }
});
