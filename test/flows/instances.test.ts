/** Two instances on one Redis: one receives. For the take-over by the other see instances-take-over. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestBridge } from "../support/bridge.ts";
import { receiverStatusOf, startInstances, untilHolds } from "../support/instances.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { scaled } from "../support/speed.ts";

/** Shorter than the lease. */
const AT_ONCE_MS = 3_000;

for (const protocol of ["5", "3.1.1"] as const) {
  describe(`two instances, MQTT ${protocol}`, requireOrSkip("mosquitto", "redis-server"), () => {
    it("elect one receiver, and both report it", async (t) => {
      const { bridges, mosquitto } = await startInstances(t, { protocol });
      const [a, b] = bridges as [TestBridge, TestBridge];
      await a.readiness(200);
      const [statusA, statusB] = [await receiverStatusOf(a), await receiverStatusOf(b)];
      assert.deepEqual([statusA.lane, statusB.lane], [0, 0]);
      assert.deepEqual([statusA.here, statusB.here], [true, false]);
      assert.equal(statusA.holder, statusB.holder);
      assert.equal((await a.api("GET", "/v1/status")).body.instance, statusA.holder);
      assert.notEqual((await b.api("GET", "/v1/status")).body.instance, statusA.holder);
      assert.deepEqual(statusB.sessions, []);
      const { checks } = (await b.readiness(200)).body;
      assert.deepEqual(checks.uplink, { ok: true, detail: `held by ${statusA.holder}` });
      // When the other instance answers, the receiving one has subscribed the filter.
      for (let i = 0; i < 5; i++) {
        await b.api("POST", "/v1/webhooks", { url: "http://127.0.0.1:9/", topics: [`w/${i}`] });
        assert.equal((await receiverStatusOf(a)).sessions[0]!.granted, i + 1);
      }
      assert.equal(
        mosquitto.log.match(/New client connected from \S+ as causeway-uplink-0/g)!.length,
        1,
        "nobody fought",
      );
    });

    it("let a lone instance receive again as soon as it restarts after a kill", async (t) => {
      const { bridges } = await startInstances(t, { protocol, count: 1 });
      const [a] = bridges as [TestBridge];
      const { holder } = await receiverStatusOf(a);
      await a.kill();
      await a.start();
      const took = await untilHolds(a, performance.now());
      t.diagnostic(`it received ${Math.round(took)} ms after it was up`);
      assert.ok(took <= scaled(AT_ONCE_MS), `${took} ms after it was up`);
      assert.equal((await receiverStatusOf(a)).holder, holder);
    });
  });
}
