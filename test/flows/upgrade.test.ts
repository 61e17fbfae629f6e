/** Data of an earlier bridge: its waiting deliveries are sent, and its idempotent responses repeated. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { Redis } from "ioredis";
import Database from "libsql";
import { connectAsync } from "mqtt";
import type { TestBridge } from "../support/bridge.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { eventually } from "../support/eventually.ts";
import { fixture, type Left, ONCE, type RedisContent, unpack, writeRedis } from "../support/old-data.ts";
import type { ReceivedCall, Receiver } from "../support/receiver.ts";
import { embedded, mosquittoAndRedis, startScenario } from "../support/scenario.ts";

const CLOCK = new URL("../support/clock.mjs", import.meta.url).href;
/** After the scheduled time and before any expiry. */
const LATER_MS = 60_000;
/** A field that only a newer bridge writes. */
const UNKNOWN = { later: { a: [1] } };

/** The bridge on the restored data, with its environment. */
interface Restored {
  bridge: TestBridge;
  brokerUrl: string;
  receiver: Receiver;
  left: Left;
}

const at = (left: Left) => ({ NODE_OPTIONS: `--import ${CLOCK}`, CLOCK_START: String(left.at + LATER_MS) });

const servers = mosquittoAndRedis("5");

async function restoreRedis(t: TestContext, format: number): Promise<Restored & { client: Redis }> {
  const text = readFileSync(fixture(`format-${format}-redis.json`), "utf8");
  const old = JSON.parse(text) as { left: Left; redis: RedisContent };
  const moved = (receiver: Receiver) => JSON.parse(text.replaceAll(old.left.receiver, receiver.url)) as typeof old;
  let client: Redis | undefined;
  t.after(() => client?.disconnect());
  const { bridge, receiver, brokerUrl } = await startScenario(t, servers, {
    device: false,
    async env({ redis, receiver }) {
      client = new Redis(redis!.url);
      await writeRedis(client, withUnknown(moved(receiver).redis));
      return at(old.left);
    },
  });
  return { bridge, brokerUrl, receiver, left: moved(receiver).left, client: client! };
}

/** Adds a field to each record and job, as a newer bridge could. */
function withUnknown(content: RedisContent): RedisContent {
  const more = (json: string) => JSON.stringify({ ...JSON.parse(json), ...UNKNOWN });
  const changed = structuredClone(content);
  for (const [key, [type, value]] of Object.entries(changed)) {
    const hash = value as Record<string, string>;
    if (type !== "hash") continue;
    if (hash.data) hash.data = more(hash.data);
    if (!key.startsWith("causeway:r:")) continue;
    for (const [id, stored] of Object.entries(hash)) hash[id] = stored.replace(/\{.*/s, more);
  }
  return changed;
}

function isSigned({ headers, body }: ReceivedCall, secret: string): boolean {
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const head = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`;
  return headers["webhook-signature"] === `v1,${createHmac("sha256", key).update(head).update(body).digest("base64")}`;
}

async function goesOn({ bridge, brokerUrl, receiver, left }: Restored): Promise<void> {
  const { api } = bridge;
  const { webhooks } = left;
  const callsOf = (name: string) => receiver.calls.filter(({ path }) => path === `/${name}`);
  const dataOf = (call: ReceivedCall) => JSON.parse(call.body.toString());

  await receiver.until(() => callsOf("down").length === 1 && callsOf("done").length === 1);
  const [[down], [done]] = [callsOf("down"), callsOf("done")];
  assert.equal(dataOf(down!).data, "down");
  assert.equal(down!.headers["causeway-attempt"], "2");
  assert.ok(isSigned(down!, webhooks.down!.secret));
  assert.equal(dataOf(done!).data, "later", "what was scheduled is published");
  assert.equal(done!.headers.authorization, "Bearer old-token");
  await eventually(
    () => api("GET", `/v1/messages/${left.scheduledId}`),
    ({ body }) => body.outcome === "acknowledged",
  );

  for (const name of ["paused", "ordered"]) await api("POST", `/v1/webhooks/${webhooks[name]!.id}/resume`);
  await receiver.until(() => callsOf("paused").length === 2 && callsOf("ordered").length === 2);
  assert.deepEqual(
    callsOf("paused")
      .map((call) => dataOf(call).data ?? dataOf(call).data_base64)
      .sort(),
    ["AP8B", "text"],
  );
  assert.equal(callsOf("paused")[0]!.headers["x-secret"], "old");
  assert.deepEqual(
    callsOf("ordered").map((call) => dataOf(call).data),
    ["one", "two"],
  );

  const deliveries = `/v1/webhooks/${webhooks.dead!.id}/deliveries`;
  const dead = await api("GET", `${deliveries}?status=failed`);
  assert.deepEqual(
    dead.body.items.map((one: { attempts: number }) => one.attempts),
    [1],
  );
  await api("POST", `${deliveries}/${dead.body.items[0].messageId}/retry`);
  await receiver.until(() => callsOf("down").length === 2);

  const message = { topic: "old/by-key", payload: "x" };
  const byKey = { authorization: `Bearer ${left.key}` };
  assert.equal((await api("POST", "/v1/messages", message, byKey)).status, 200);
  assert.equal((await api("POST", "/v1/messages", { ...message, topic: "new" }, byKey)).status, 403);
  const again = await api("POST", "/v1/messages", ONCE, { "idempotency-key": "once" });
  assert.equal(again.headers.get("idempotent-replayed"), "true");
  assert.deepEqual(again.body, left.once);
  const other = await api("POST", "/v1/messages", { ...ONCE, payload: "2" }, { "idempotency-key": "once" });
  assert.equal(other.body.code, "idempotency_mismatch");

  const device = await connectAsync(brokerUrl);
  await bridge.readiness(200);
  await device.publishAsync(left.responseTopic, "answer", { qos: 1 });
  const request = () => api("GET", `/v1/requests/${left.requestId}`);
  const { body } = await eventually(request, (answer) => answer.body.outcome !== "pending");
  assert.equal(body.response.payload, "answer");
  await device.endAsync();
  const replay = await api("GET", `/v1/webhooks/${webhooks.done!.id}/replays/${left.replayId}`);
  assert.deepEqual([replay.body.state, replay.body.count], ["finished", 1]);
}

describe("data of format 2", () => {
  it("is used by the embedded store and broker", async (t) => {
    const { left: old } = JSON.parse(readFileSync(fixture("format-2-embedded.json"), "utf8")) as { left: Left };
    const dataDir = temporaryDirectory("upgrade");
    unpack(fixture("format-2-embedded.br"), dataDir);
    const { bridge, receiver, brokerUrl } = await startScenario(t, embedded, {
      device: false,
      env({ receiver }) {
        const file = new Database(join(dataDir, "causeway.db"));
        file.prepare("UPDATE causeway_record SET value = replace(value, ?, ?)").run(old.receiver, receiver.url);
        file.close();
        return { DATA_DIR: dataDir, ...at(old) };
      },
    });
    await goesOn({ bridge, brokerUrl, receiver, left: old });
    assert.equal((await bridge.api("GET", "/v1/topics/old/kept")).bytes.toString(), "kept");
  });

  it("is used by Redis, with fields added by a newer bridge", {
    ...servers.options,
  }, async (t) => {
    const restored = await restoreRedis(t, 2);
    const { bridge, client, left } = restored;
    await goesOn(restored);
    const webhook = `/v1/webhooks/${left.webhooks.done!.id}`;
    await bridge.api("PATCH", webhook, { name: "renamed", topics: ["old/other"] });
    await bridge.api("POST", `${webhook}/rotate-secret`, {});
    const shown = await bridge.api("GET", webhook);
    assert.equal(shown.body.name, "renamed");
    assert.equal(shown.body.later, undefined);
    assert.equal((await bridge.api("GET", "/v1/keys")).body.items[0].later, undefined);

    const record = async (collection: string, id: string) => {
      const [, version, json] = /^(\d+) (.*)$/s.exec((await client.hget(`causeway:r:${collection}`, id)) ?? "")!;
      return { ...JSON.parse(json!), version: Number(version) };
    };
    const [keyId] = await client.hkeys("causeway:r:keys");
    await eventually(
      () => record("keys", keyId!),
      ({ lastUsedAt }) => lastUsedAt !== null,
    );
    for (const [collection, id] of [
      ["webhooks", left.webhooks.done!.id],
      ["keys", keyId!],
      ["requests", left.requestId],
    ] as const) {
      const { version, later } = await record(collection, id);
      assert.ok(version > 1, `the record of ${collection} was changed`);
      assert.deepEqual(later, UNKNOWN.later, collection);
    }
    const jobs = await client.keys(`causeway:q:deliver-${left.webhooks.dead!.id}:msg_*`);
    const data = await Promise.all(jobs.filter((key) => !key.endsWith(":logs")).map((key) => client.hget(key, "data")));
    assert.deepEqual(
      data.map((json) => JSON.parse(json!).later),
      [UNKNOWN.later],
    );
  });
});
