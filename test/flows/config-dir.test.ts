/** CONFIG_DIR: documents that the bridge applies at every start, and what it reports about them. */
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { stringify } from "yaml";
import type { TestBridge } from "../support/bridge.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { eventually } from "../support/eventually.ts";
import { embedded, mosquittoAndRedis, startScenario } from "../support/scenario.ts";

const webhook = (n: number, fields: object = {}) => ({
  ...{ kind: "Webhook", externalId: `web-${n}`, url: `http://127.0.0.1:9/${n}`, topics: [`t/${n}/#`] },
  ...fields,
});

/** A folder with one file. */
function folderOf(...documents: object[]): string {
  const folder = temporaryDirectory("config-dir");
  put(folder, ...documents);
  return folder;
}

function put(folder: string, ...documents: object[]): void {
  writeFileSync(join(folder, "all.yaml"), documents.map((one) => `---\n${stringify(one)}`).join(""));
}

const statusOf = async (bridge: TestBridge) => (await bridge.api("GET", "/v1/status")).body.configuration;

function applied(bridge: TestBridge) {
  return eventually(
    () => statusOf(bridge),
    ({ state }) => state !== "applying",
  );
}

async function listed(bridge: TestBridge) {
  const items = [];
  for (let cursor = ""; ; ) {
    const { body } = await bridge.api("GET", `/v1/webhooks?limit=250${cursor}`);
    items.push(...(body.items as { id: string; externalId: string; topics: string[]; updatedAt: string }[]));
    if (!body.nextCursor) return items;
    cursor = `&after=${body.nextCursor}`;
  }
}

const idsOf = (webhooks: { externalId: string }[]) => webhooks.map(({ externalId }) => externalId).sort();

describe("CONFIG_DIR", () => {
  it("is applied at every start: a repetition changes nothing, another file exactly what differs", async (t) => {
    const hook = (fields: object = {}) => ({
      ...{ kind: "Hook", externalId: "bell", name: "bell", topic: "bell/{query.id}" },
      ...{ verify: { type: "gitlab", secret: `\${env:SENDER_KEY}` }, ...fields },
    });
    const documents = [1, 2, 3].map((n) => webhook(n, { headers: { "X-Key": `\${env:RECEIVER_KEY}` } }));
    const folder = folderOf(...documents, hook());
    const secrets = { RECEIVER_KEY: "s3cret-of-the-receiver", SENDER_KEY: "s3cret-of-the-sender" };
    const env = { CONFIG_DIR: folder, ...secrets, BASE_PATH: "/iot", LOG_LEVEL: "info" };
    const { bridge } = await startScenario(t, embedded, { env, device: false });
    const { api } = bridge;
    const under = {
      ...bridge,
      api: (method: string, path: string, body?: unknown, headers = {}) => api(method, `/iot${path}`, body, headers),
    };
    const hookNow = async () => (await under.api("GET", "/v1/hooks")).body.items[0];
    const { appliedAt, ...first } = await applied(under);
    assert.deepEqual(first, {
      ...{ folder, state: "applied", documents: 4, created: 4, updated: 0, unchanged: 0, refused: [] },
    });
    assert.ok(Date.parse(appliedAt) <= Date.now());
    const before = await listed(under);
    assert.deepEqual(idsOf(before), ["web-1", "web-2", "web-3"]);
    const hookBefore = await hookNow();
    const call = await api("POST", `${hookBefore.path}?id=1`, {}, { "x-gitlab-token": secrets.SENDER_KEY });
    assert.equal(call.status, 202);

    await bridge.stop();
    assert.match(bridge.output, /"configuration_applied"/);
    await bridge.start();
    assert.deepEqual([(await applied(under)).created, (await statusOf(under)).unchanged], [0, 4]);
    assert.deepEqual([await listed(under), await hookNow()], [before, hookBefore]);

    await bridge.stop();
    put(folder, documents[0]!, webhook(2, { topics: ["changed/#"] }), hook({ topic: "changed" }));
    await bridge.start();
    const { created, updated, unchanged } = await applied(under);
    assert.deepEqual([created, updated, unchanged], [0, 2, 1]);
    const after = await listed(under);
    assert.deepEqual(
      after.filter((one) => !before.some(({ updatedAt, id }) => one.id === id && one.updatedAt === updatedAt)),
      after.filter(({ externalId }) => externalId === "web-2"),
    );
    assert.deepEqual(after.find(({ externalId }) => externalId === "web-2")!.topics, ["changed/#"]);
    assert.ok(
      after.some(({ externalId }) => externalId === "web-3"),
      "nothing is deleted",
    );
    // Its secret path stays.
    const { updatedAt: _, ...hookAfter } = await hookNow();
    const { updatedAt: _before, ...expected } = hookBefore;
    assert.deepEqual(hookAfter, { ...expected, topic: "changed" });
    await bridge.stop();
    for (const hidden of [...Object.values(secrets), hookBefore.path]) assert.ok(!bridge.output.includes(hidden));
  });

  it("reports documents that are refused and applies the others", async (t) => {
    const key = { name: "fixed", scopes: ["read"], read: ["a"] };
    const folder = folderOf(
      webhook(1, { url: "http://169.254.169.254/" }),
      { kind: "Webhook", id: "wh_0000000000000000000000", url: "http://127.0.0.1:9/", topics: ["a"] },
      webhook(2),
      webhook(3, { externalId: ".." }),
      { kind: "Hook", id: "hk_none", name: "x", topic: "x" },
      { kind: "Key", ...key, read: ["b"] },
      { kind: "Key", name: "absent", scopes: ["read"], read: ["a"] },
    );
    const { bridge } = await startScenario(t, embedded, { device: false });
    await bridge.api("POST", "/v1/keys", key);
    const viewer = await bridge.api("POST", "/v1/keys", { name: "viewer", scopes: ["view"], read: ["a"] });
    const { DATA_DIR } = { DATA_DIR: bridge.dataDir };
    await bridge.stop();
    const again = await startScenario(t, embedded, { env: { CONFIG_DIR: folder, DATA_DIR }, device: false });
    const status = await applied(again.bridge);
    assert.deepEqual([status.state, status.documents, status.created, status.unchanged], ["partly", 7, 1, 0]);
    assert.deepEqual(
      status.refused.map(({ kind, identity, code }: Record<string, string>) => [kind, identity, code]),
      [
        ["Webhook", "web-1", "blocked_address"],
        ["Webhook", "wh_0000000000000000000000", "not_found"],
        ["Webhook", "..", "invalid_request"],
        ["Hook", "hk_none", "not_found"],
        ["Key", "fixed", "conflict"],
        ["Key", "absent", "not_found"],
      ],
    );
    assert.match(status.refused[0].detail, /url/);
    assert.match(status.refused[4].detail, /differs in read;/);
    await again.bridge.waitForOutput(/"code":"blocked_address".*"configuration_refused"/);
    const headers = { authorization: `Bearer ${viewer.body.key}` };
    const limited = await again.bridge.api("GET", "/v1/status", undefined, headers);
    assert.equal(limited.status, 200);
    assert.ok(!("configuration" in limited.body));
  });

  it("ends in the same state after a kill in the middle", async (t) => {
    const count = 150;
    const folder = folderOf(...Array.from({ length: count }, (_, n) => webhook(n)));
    const { bridge } = await startScenario(t, embedded, { env: { CONFIG_DIR: folder }, device: false });
    const { state } = await eventually(
      () => statusOf(bridge),
      ({ created }) => created >= 10,
    );
    assert.equal(state, "applying");
    await bridge.kill();
    await bridge.start();
    const { documents, created, unchanged, refused } = await applied(bridge);
    assert.deepEqual([documents, created + unchanged, refused], [count, count, []]);
    assert.ok(created < count, "some were there before");
    assert.equal(new Set(idsOf(await listed(bridge))).size, count);
    assert.equal((await listed(bridge)).length, count);
  });

  const shared = mosquittoAndRedis("5");
  it("gives one result on two instances that start at once", shared.options, async (t) => {
    const count = 60;
    const folder = folderOf(...Array.from({ length: count }, (_, n) => webhook(n)));
    const world = await startScenario(t, shared, { device: false });
    const bridges = await Promise.all([1, 2].map(() => world.addBridge({ CONFIG_DIR: folder })));
    for (const bridge of bridges) assert.deepEqual((await applied(bridge)).refused, []);
    const webhooks = await listed(bridges[0]!);
    assert.equal(webhooks.length, count);
    assert.equal(new Set(idsOf(webhooks)).size, count);
    assert.equal(await statusOf(world.bridge), undefined, "the third has no CONFIG_DIR");
    rmSync(folder, { recursive: true });
  });
});
