/** API keys with the real bridge process, across a restart. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { embedded, mosquittoAndRedis, scenario } from "../support/scenario.ts";

for (const kind of [embedded, mosquittoAndRedis("5")]) {
  describe(`keys: ${kind.name}`, kind.options, () => {
    const world = scenario(kind, { env: { LOG_LEVEL: "debug" } });

    it("a key has its rights, also after a restart, until it is deleted", async () => {
      const { bridge } = world;
      const made = await bridge.api("POST", "/v1/keys", {
        name: "site-1",
        scopes: ["publish", "read"],
        publish: ["{keyName}/+/commands"],
        read: ["{keyName}/#"],
        rateLimit: { max: 1_000, perSeconds: 1 },
      });
      assert.equal(made.status, 201);
      const { id, key } = made.body;
      const as = { authorization: `Bearer ${key}` };
      const publish = (topic: string) => bridge.api("POST", "/v1/messages", { topic, payload: "x" }, as);
      const works = async () => {
        const allowed = await publish("site-1/pi/commands");
        assert.deepEqual([allowed.status, allowed.body.outcome], [200, "acknowledged"]);
        assert.equal(allowed.headers.get("ratelimit-limit"), "1000");
        const forbidden = await publish("site-2/pi/commands");
        assert.deepEqual([forbidden.status, forbidden.body.code], [403, "forbidden_topic"]);
        const scope = await bridge.api("GET", "/v1/status", undefined, as);
        assert.deepEqual([scope.status, scope.body.code], [403, "insufficient_scope"]);
        assert.equal((await bridge.api("GET", "/v1/topics/site-1/none", undefined, as)).status, 404);
        assert.equal((await bridge.api("GET", "/v1/topics/site-2/none", undefined, as)).status, 403);
      };
      await works();

      await bridge.stop();
      await bridge.start();
      await bridge.readiness(200);
      await works();

      const { body } = await bridge.api("GET", "/v1/keys");
      assert.deepEqual([body.items.length, body.items[0].id, body.items[0].publish], [1, id, ["site-1/+/commands"]]);
      assert.equal((await bridge.api("DELETE", `/v1/keys/${id}`)).status, 204);
      assert.equal((await publish("site-1/pi/commands")).status, 401);
      assert.ok(!bridge.output.includes(key), "the key is in the log");
    });
  });
}
