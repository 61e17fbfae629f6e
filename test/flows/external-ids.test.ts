/** Webhooks by external id, through the real API: once on the embedded store, and on two instances with one Redis. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestBridge } from "../support/bridge.ts";
import { startInstances } from "../support/instances.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { embedded, scenario } from "../support/scenario.ts";

const put = (bridge: TestBridge, externalId: string, webhook: object) =>
  bridge.api("PUT", `/v1/webhooks/external/${externalId}`, webhook);
const all = async (bridge: TestBridge, query = "") => (await bridge.api("GET", `/v1/webhooks${query}`)).body.items;

describe("webhooks by external id, on the embedded store", () => {
  const world = scenario(embedded);

  it("are created, replaced with defaults, found and removed; deliveries and secret stay", async () => {
    const { bridge, receiver, device } = world;
    const webhook = { url: receiver.url, topics: ["external/#"], name: "N", concurrency: 1 };
    const created = await put(bridge, "acme:1@eu", webhook);
    assert.deepEqual([created.status, created.body.externalId], [201, "acme:1@eu"]);
    assert.match(created.body.secret, /^whsec_/);
    const { id } = created.body;
    assert.equal(created.headers.get("location"), `/v1/webhooks/${id}`);
    await bridge.readiness(200);
    await device.publishAsync("external/1", "x", { qos: 1 });
    await receiver.untilCalled(1);
    const [call] = receiver.attempts;

    const replaced = await put(bridge, "acme:1@eu", { url: `${receiver.url}/new`, topics: ["external/#"] });
    assert.deepEqual([replaced.status, replaced.body.id, replaced.body.secret], [200, id, undefined]);
    assert.deepEqual([replaced.body.name, replaced.body.concurrency], [undefined, 10]);
    const delivery = await bridge.api("GET", `/v1/webhooks/${id}/deliveries/${call!.headers["webhook-id"]}`);
    assert.equal(delivery.status, 200);

    assert.deepEqual(
      (await all(bridge, "?externalId=acme:1@eu")).map((one: { id: string }) => one.id),
      [id],
    );
    assert.deepEqual(await all(bridge, "?externalId=other"), []);
    const taken = await bridge.api("POST", "/v1/webhooks", { ...webhook, externalId: "acme:1@eu" });
    assert.deepEqual([taken.status, taken.body.code], [409, "conflict"]);
    assert.equal((await bridge.api("DELETE", `/v1/webhooks/${id}`)).status, 204);
    const again = await put(bridge, "acme:1@eu", webhook);
    assert.equal(again.status, 201);
    assert.notEqual(again.body.id, id);
    // It outlives a restart.
    await bridge.stop();
    await bridge.start();
    assert.deepEqual((await put(bridge, "acme:1@eu", webhook)).body.id, again.body.id);
  });

  it("refuse invalid external ids, and do not change one", async () => {
    const { bridge, receiver } = world;
    const webhook = { url: receiver.url, topics: ["a"] };
    for (const externalId of ["", ".", "-a", "a b", "a/b", "ü", "a".repeat(201)]) {
      const { status, body } = await bridge.api("POST", "/v1/webhooks", { ...webhook, externalId });
      assert.deepEqual([status, body.errors?.[0].path], [400, "externalId"], externalId);
    }
    const inPath = await put(bridge, "a%20b", webhook);
    assert.deepEqual([inPath.status, inPath.body.errors?.[0].path], [400, "path.externalId"]);
    const inQuery = await bridge.api("GET", "/v1/webhooks?externalId=-");
    assert.deepEqual([inQuery.status, inQuery.body.errors?.[0].path], [400, "query.externalId"]);
    const { id } = (await put(bridge, "a".repeat(200), webhook)).body;
    const patch = await bridge.api("PATCH", `/v1/webhooks/${id}`, { externalId: "b" });
    assert.deepEqual([patch.status, patch.body.errors?.[0].path], [400, "externalId"]);
    const other = await put(bridge, "b", { ...webhook, externalId: "c" });
    assert.deepEqual([other.status, other.body.errors?.[0].path], [400, "externalId"]);
  });
});

describe("webhooks by external id, on two instances with one Redis", requireOrSkip("mosquitto", "redis-server"), () => {
  it("are created once by concurrent calls at both, and removed and created again at the same time", async (t) => {
    const { bridges, receiver } = await startInstances(t);
    const webhook = { url: receiver.url, topics: ["a"] };
    const names = Array.from({ length: 10 }, (_, i) => `race-${i}`);
    const racing = names.flatMap((name) =>
      bridges.flatMap((bridge) => [put(bridge, name, webhook), put(bridge, name, webhook)]),
    );
    const answers = await Promise.all(racing);
    assert.equal(answers.filter(({ status }) => status === 201).length, names.length);
    assert.equal(answers.filter(({ status }) => status === 200).length, answers.length - names.length);
    assert.equal((await all(bridges[0]!)).length, names.length);

    const [a, b] = bridges as [TestBridge, TestBridge];
    const idOf = new Map<string, string>(answers.map(({ body }) => [body.externalId, body.id]));
    await Promise.all(
      names.flatMap((name) => [a.api("DELETE", `/v1/webhooks/${idOf.get(name)}`), put(b, name, webhook)]),
    );
    await Promise.all(names.flatMap((name) => bridges.map((bridge) => put(bridge, name, webhook))));
    const listed: { externalId: string }[] = await all(b);
    assert.deepEqual(listed.map(({ externalId }) => externalId).sort(), names);
  });
});
