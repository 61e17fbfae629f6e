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
    const documents = [1, 2, 3].map((n) => webhook(n, { headers: { "X-Key": `\${env:RECEIVER_KEY}` } }));
    const folder = folderOf(...documents);
    const env = { CONFIG_DIR: folder, RECEIVER_KEY: "s3cret-of-the-receiver", BASE_PATH: "/iot", LOG_LEVEL: "info" };
    const { bridge } = await startScenario(t, embedded, { env, device: false });
    const { api } = bridge;
    const under = { ...bridge, api: (method: string, path: string) => api(method, `/iot${path}`) };
    const { appliedAt, ...first } = await applied(under);
    assert.deepEqual(first, {
      ...{ folder, state: "applied", documents: 3, created: 3, updated: 0, unchanged: 0, refused: [] },
    });
    assert.ok(Date.parse(appliedAt) <= Date.now());
    const before = await listed(under);
    assert.deepEqual(idsOf(before), ["web-1", "web-2", "web-3"]);

    await bridge.stop();
    assert.match(bridge.output, /"configuration_applied"/);
    await bridge.start();
    assert.deepEqual([(await applied(under)).created, (await statusOf(under)).unchanged], [0, 3]);
    assert.deepEqual(await listed(under), before);

    await bridge.stop();
    put(folder, documents[0]!, webhook(2, { topics: ["changed/#"] }));
    await bridge.start();
    const { created, updated, unchanged } = await applied(under);
    assert.deepEqual([created, updated, unchanged], [0, 1, 1]);
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
    await bridge.stop();
    assert.ok(!bridge.output.includes("s3cret-of-the-receiver"));
  });

  it("reports documents that are refused and applies the others", async (t) => {
    const key = { name: "fixed", scopes: ["read"], read: ["a"] };
    const folder = folderOf(
      webhook(1, { url: "http://169.254.169.254/" }),
      { kind: "Webhook", id: "wh_0000000000000000000000", url: "http://127.0.0.1:9/", topics: ["a"] },
      webhook(2),
      webhook(3, { externalId: ".." }),
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
    assert.deepEqual([status.state, status.documents, status.created, status.unchanged], ["partly", 6, 1, 0]);
    assert.deepEqual(
      status.refused.map(({ kind, identity, code }: Record<string, string>) => [kind, identity, code]),
      [
        ["Webhook", "web-1", "blocked_address"],
        ["Webhook", "wh_0000000000000000000000", "not_found"],
        ["Webhook", "..", "invalid_request"],
        ["Key", "fixed", "conflict"],
        ["Key", "absent", "not_found"],
      ],
    );
    assert.match(status.refused[0].detail, /url/);
    assert.match(status.refused[3].detail, /differs in read;/);
    await again.bridge.waitForOutput(/"code":"blocked_address".*"configuration_refused"/);
    const headers = { authorization: `Bearer ${viewer.body.key}` };
    const limited = await again.bridge.api("GET", "/v1/status", undefined, headers);
    assert.equal(limited.status, 200);
    assert.ok(!("configuration" in limited.body));
  });

  it("has hooks, whose secret path stays", async (t) => {
    const hook = (fields: object = {}) => ({
      ...{ kind: "Hook", externalId: "bell", name: "bell", topic: "bell/{query.id}" },
      ...{ verify: { type: "gitlab", secret: `\${env:SENDER_KEY}` }, ...fields },
    });
    const folder = folderOf(hook(), webhook(1), { kind: "Hook", id: "hk_none", name: "x", topic: "x" });
    const env = { CONFIG_DIR: folder, SENDER_KEY: "s3cret-of-the-sender" };
    const { bridge } = await startScenario(t, embedded, { env, device: false });
    const first = await applied(bridge);
    assert.deepEqual([first.state, first.created, first.refused[0].kind], ["partly", 2, "Hook"]);
    const hooks = async () => (await bridge.api("GET", "/v1/hooks")).body.items;
    const before = await hooks();
    const call = await bridge.api("POST", `${before[0].path}?id=1`, {}, { "x-gitlab-token": env.SENDER_KEY });
    assert.equal(call.status, 202);

    await bridge.stop();
    await bridge.start();
    assert.equal((await applied(bridge)).unchanged, 2);
    assert.deepEqual(await hooks(), before);

    await bridge.stop();
    put(folder, hook({ topic: "changed" }));
    await bridge.start();
    assert.equal((await applied(bridge)).updated, 1);
    const { updatedAt: _, ...after } = (await hooks())[0];
    const { updatedAt: _before, ...expected } = before[0];
    assert.deepEqual(after, { ...expected, topic: "changed" });
    assert.ok(!bridge.output.includes(env.SENDER_KEY) && !bridge.output.includes(before[0].path));
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
