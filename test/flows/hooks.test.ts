/** Inbound hooks with the real bridge: from the call of a service to the device, also across a restart. */
import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { type EventEmitter, once } from "node:events";
import { describe, it } from "node:test";
import { Redis } from "ioredis";
import { embedded, mosquittoAndRedis, scenario } from "../support/scenario.ts";

for (const kind of [embedded, mosquittoAndRedis("5")]) {
  describe(`hooks: ${kind.name}`, kind.options, () => {
    const world = scenario(kind, {
      env: { LOG_LEVEL: "debug", SECRETS_KEY: randomBytes(32).toString("base64") },
      ...(kind.broker === "5" && { device: { protocolVersion: 5 } }),
    });

    async function create(input: object, key?: string) {
      const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
      const { status, body } = await world.bridge.api("POST", "/v1/hooks", { name: "hook", ...input }, headers);
      assert.equal(status, 201, JSON.stringify(body));
      return body;
    }
    const call = (path: string, init: RequestInit = {}) => fetch(world.bridge.url + path, init);
    const heard = async (device = world.device) => {
      const signal = AbortSignal.timeout(20_000);
      const [topic, payload, packet] = await once(device as unknown as EventEmitter, "message", { signal });
      return { topic, payload: payload as Buffer, contentType: packet.properties?.contentType };
    };

    it("a verified call becomes a message, once per delivery, also after a restart", async () => {
      const { device, bridge } = world;
      await device.subscribeAsync("gh/#", { qos: 1 });
      const topic = "gh/{body.repository.name}/{headers.`x-github-event`}";
      const { id, path } = await create({ topic, verify: { type: "github", secret: "hook-secret" } });
      const body = '{ "repository": {"name": "r"}, "n": 12345678901234567890 }';
      const headers = {
        ...{ "content-type": "application/json", "x-github-event": "push", "x-github-delivery": "d1" },
        "x-hub-signature-256": `sha256=${createHmac("sha256", "hook-secret").update(body).digest("hex")}`,
      };
      const [message, first] = await Promise.all([heard(), call(path, { method: "POST", body, headers })]);
      assert.equal(first.status, 202);
      const answer = (await first.json()) as object;
      assert.deepEqual([message.topic, message.payload.toString()], ["gh/r/push", body]);
      if (kind.broker === "5") assert.equal(message.contentType, "application/json");

      await bridge.stop();
      await bridge.start();
      await bridge.readiness(200);
      // The device may not have come back yet: its session ended with the embedded broker.
      const listener = await world.connect();
      await listener.subscribeAsync("gh/#", { qos: 1 });
      const again = await call(path, { method: "POST", body, headers });
      assert.deepEqual([again.status, again.headers.get("idempotent-replayed")], [202, "true"]);
      assert.deepEqual(await again.json(), answer);
      assert.equal((await call(path, { method: "POST", body: "{}", headers })).status, 401);
      const forged = { ...headers, "x-github-delivery": "d2", "x-hub-signature-256": "sha256=00" };
      assert.equal((await call(path, { method: "POST", body, headers: forged })).status, 401);
      const [next] = await Promise.all([
        heard(listener),
        call(path, {
          method: "POST",
          body,
          headers: { ...headers, "x-github-event": "next", "x-github-delivery": "d3" },
        }),
      ]);
      assert.equal(next.topic, "gh/r/next", "neither the repetition nor a forged call is published");

      const metrics = (await bridge.api("GET", "/metrics")).bytes.toString();
      assert.match(metrics, /^causeway_hook_calls_total\{outcome="repeated"\} 1$/m);
      assert.match(metrics, /^causeway_hook_calls_total\{outcome="unverified"\} 2$/m);
      if (world.redis) {
        const redis = new Redis(world.redis.url);
        const stored = (await redis.hvals("causeway:r:hooks")).join();
        redis.disconnect();
        assert.ok(
          stored.includes(id) && !stored.includes("hook-secret") && !stored.includes(path.slice("/in/".length)),
        );
      }
      assert.equal((await bridge.api("DELETE", `/v1/hooks/${id}`)).status, 204);
      assert.equal((await call(path, { method: "POST", body, headers })).status, 404);
      const token = path.split("/").at(-1)!;
      for (const secret of [token, "hook-secret"]) assert.ok(!bridge.output.includes(secret), "a secret is in the log");
    });

    it("a link publishes at once, through the sandbox, with the rights of its key", async () => {
      const { device, bridge } = world;
      await device.subscribeAsync("lamps/#", { qos: 1 });
      const input = { name: "k", scopes: ["publish"], publish: ["lamps/+/set"] };
      const { key, id: keyId } = (await bridge.api("POST", "/v1/keys", input)).body;
      const link = {
        topic: "lamps/{query.id}/set",
        payload: "{ 'on': query.state = 'on' }",
        methods: ["GET"],
        durable: false,
      };
      const { id, path } = await create(link, key);
      const [message, reply] = await Promise.all([heard(), call(`${path}?id=7&state=on`)]);
      assert.deepEqual([reply.status, ((await reply.json()) as { outcome: string }).outcome], [200, "acknowledged"]);
      assert.deepEqual([message.topic, message.payload.toString()], ["lamps/7/set", '{"on":true}']);
      assert.equal((await call(`${path}?id=7/x&state=on`)).status, 422);
      assert.equal((await call(path, { method: "HEAD" })).status, 405);
      assert.equal((await bridge.api("DELETE", `/v1/keys/${keyId}`)).status, 204);
      assert.equal((await call(`${path}?id=7&state=on`)).status, 403);
      assert.equal((await bridge.api("GET", `/v1/hooks/${id}`)).body.state, "stopped");
    });
  });
}
