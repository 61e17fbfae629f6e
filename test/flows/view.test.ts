/** A key with the scope `view` sees its own webhooks and deliveries, and nothing of another tenant, at any GET. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { loadDocument, operationsOf, scopesOf } from "../../src/http/document.ts";
import type { Answer } from "../support/bridge.ts";
import { eventually } from "../support/eventually.ts";
import { everyGet, type Get, isViewable, type Tenant } from "../support/every-get.ts";
import { embedded, mosquittoAndRedis, type Scenario, scenario } from "../support/scenario.ts";

const { openapi } = await loadDocument();

interface Fixture extends Tenant {
  key: string;
  /** Texts that belong to the tenant. */
  needles: string[];
}

for (const kind of [embedded, mosquittoAndRedis("5")]) {
  describe(`a key with the scope view: ${kind.name}`, kind.options, () => {
    const world = scenario(kind);
    let [own, other] = [] as unknown as [Fixture, Fixture];
    let shared: string[];

    before(async () => {
      world.receiver.answer = ({ path }) => ({ status: 200, body: `response-of-${path.slice(1)}` });
      // On the same filters: a broker may send a copy of a message for each filter, which gets an id of its own.
      const hook = {
        url: `${world.receiver.url}/operator`,
        name: "Webhook of the operator",
        topics: ["tenants/42/#", "tenants/7/#"],
      };
      shared = [(await world.bridge.register(hook)).id, hook.name, hook.url];
      [own, other] = [await settle(world, "42"), await settle(world, "7")];
    });

    const as = ({ key }: { key: string }) => ({ authorization: `Bearer ${key}` });
    const viewed = (path: string) => world.bridge.api("GET", path, undefined, as(own));
    const cursorOf = async (path: string) => {
      const { body } = await world.bridge.api("GET", `${path}${path.includes("?") ? "&" : "?"}limit=1`);
      return body.nextCursor ?? Buffer.from("x").toString("base64url");
    };
    const calls = () => everyGet(openapi, own, other, cursorOf);
    /** The texts of others in a response, without those that the call itself contains. */
    const leaked = ({ path }: Get, { bytes }: Answer) =>
      [...other.needles, ...shared].filter(
        (needle) => bytes.includes(needle) && !decodeURIComponent(path).includes(needle),
      );

    it("gets not one text of another tenant from any GET", async () => {
      for (const call of await calls()) {
        const answer = await viewed(call.path);
        assert.deepEqual(leaked(call, answer), [], call.path);
        const isOpen = scopesOf(call.operation).length === 0;
        if (!isViewable(call.operation) && !isOpen) {
          assert.deepEqual([answer.status, answer.body.code], [403, "insufficient_scope"], call.path);
        } else if (isViewable(call.operation) && call.values === "foreign") {
          assert.deepEqual([answer.status, answer.body.code], [404, "not_found"], call.path);
        }
      }
    });

    it("gets its own webhooks, deliveries, status and metrics", async () => {
      const seen: Buffer[] = [];
      const works = new Set<string>();
      for (const { path, operation, values } of await calls()) {
        if (!isViewable(operation) || values !== "own") continue;
        const { status, bytes } = await viewed(path);
        if (status !== 200) continue;
        seen.push(bytes);
        works.add(operation.operationId);
      }
      const viewable = operationsOf(openapi).filter(({ operation }) => isViewable(operation));
      assert.deepEqual([...works].sort(), viewable.map(({ operation }) => operation.operationId).sort());
      const all = Buffer.concat(seen);
      const { storedId, requestId, hookId, hookToken } = own;
      const hidden = own.needles.filter((needle) => !all.includes(needle));
      assert.deepEqual(hidden.sort(), [requestId, "retained-of-42", storedId, "Key of 42", hookId, hookToken].sort());
    });

    it("would see all of it with the rights of the first key", async () => {
      const seen: Buffer[] = [];
      for (const { path, operation } of await calls()) {
        if (operation.operationId === "openStream") continue; // endless
        seen.push((await world.bridge.api("GET", path)).bytes);
      }
      const all = Buffer.concat(seen);
      for (const needle of [...other.needles, ...shared]) assert.ok(all.includes(needle), needle);
    });

    it("fails for a GET whose parameters are not listed", async () => {
      const get = { ...openapi.paths["/healthz"]!.get!, operationId: "getNew" };
      const extended = { ...openapi, paths: { ...openapi.paths, "/v1/new": { get } } };
      await assert.rejects(everyGet(extended, own, other, cursorOf), /add the parameters of getNew/);
    });

    it("may not call any operation that changes something", async () => {
      for (const { path, method, operation } of operationsOf(openapi)) {
        if (method === "get" || scopesOf(operation).length === 0) continue;
        const ids = { id: own.webhookId, messageId: own.messageId, replayId: own.replayId, topic: own.topic };
        const url = path.replace(/{(\w+)}/g, (_, name) => ids[name as keyof typeof ids] ?? "x");
        const { status, body } = await world.bridge.api(method.toUpperCase(), url, undefined, as(own));
        assert.deepEqual([status, body.code], [403, "insufficient_scope"], `${method} ${url}`);
      }
    });

    it("gets a status and metrics of its webhooks only", async () => {
      const { body } = await viewed("/v1/status");
      assert.deepEqual([body.webhooks, body.books, body.lanes[0].sessions], [1, undefined, []]);
      assert.equal(body.broker.connected, true);
      const page = (await viewed("/metrics")).bytes.toString();
      const series = page.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
      assert.ok(series.some((line) => line.startsWith("causeway_deliveries_succeeded_total{")));
      for (const line of series) assert.ok(line.includes(`webhook="${own.webhookId}"`), line);
    });

    it("sees a received message with the deliveries to its webhooks, and no stored one", async () => {
      const { body } = await viewed(`/v1/messages/${own.messageId}`);
      const { receivedAt, deliveries, ...message } = body;
      const { messageId: id, topic } = own;
      const expected = { id, type: "mqtt.message", topic, payload: "payload-of-42", qos: 1, retain: false };
      assert.deepEqual(message, { direction: "received", ...expected });
      assert.ok(Date.parse(receivedAt) > 0);
      const { lastAttempt, ...delivery } = deliveries[0];
      assert.deepEqual(
        [deliveries.length, delivery, lastAttempt.statusCode],
        [1, { webhookId: own.webhookId, status: "succeeded", attempts: 1 }, 200],
      );
      const all = (await world.bridge.api("GET", `/v1/messages/${id}`)).body.deliveries;
      assert.deepEqual(
        all.map(({ webhookId }: { webhookId: string }) => webhookId).sort(),
        [own.webhookId, shared[0]].sort(),
      );
      assert.equal((await viewed(`/v1/messages/${own.storedId}`)).status, 404);
      const stored = (await world.bridge.api("GET", `/v1/messages/${own.storedId}`)).body;
      assert.deepEqual([stored.direction, stored.outcome, stored.deliveries], ["published", "scheduled", undefined]);
      const publisher = { name: "p", scopes: ["publish"], publish: ["#"], read: ["#"] };
      const { body: key } = await world.bridge.api("POST", "/v1/keys", publisher);
      const asked = (path: string) => world.bridge.api("GET", path, undefined, as(key));
      assert.equal((await asked(`/v1/messages/${own.storedId}`)).status, 200);
      assert.equal((await asked(`/v1/messages/${id}`)).status, 404);
    });

    it("gets no content of a message that its webhook received on a topic of another tenant", async () => {
      const hook = { url: `${world.receiver.url}/moved`, name: "Moved", topics: ["tenants/7/moved"] };
      const { id } = await world.bridge.register(hook);
      await world.device.publishAsync("tenants/7/moved", "moved-payload", { qos: 1 });
      const messageId = await succeeded(world, id);
      await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { topics: ["tenants/42/moved"] });
      const path = `/v1/webhooks/${id}/deliveries/${messageId}`;
      const { body } = await viewed(path);
      assert.deepEqual(body.message, { topic: "tenants/7/moved", qos: 1, retain: false });
      assert.deepEqual(
        body.attemptLog.map(({ responseBody }: { responseBody: unknown }) => responseBody),
        [null],
      );
      const message = (await viewed(`/v1/messages/${messageId}`)).body;
      assert.deepEqual([message.payload, message.deliveries.length], [undefined, 1]);
      const full = (await world.bridge.api("GET", path)).body;
      assert.deepEqual([full.message.payload, full.attemptLog[0].responseBody], ["moved-payload", "response-of-moved"]);
      await world.bridge.api("DELETE", `/v1/webhooks/${id}`);
    });
  });
}

/** Gives a tenant one of everything that the API can return. */
async function settle({ bridge, receiver, device }: Scenario, tenant: string): Promise<Fixture> {
  const name = `Webhook of ${tenant}`;
  const [filter, topic] = [`tenants/${tenant}/#`, `tenants/${tenant}/telemetry`];
  const url = `${receiver.url}/hook-of-${tenant}`;
  const retainedTopic = `tenants/${tenant}/config`;
  const retained = await bridge.api("PUT", `/v1/topics/${retainedTopic}`, `retained-of-${tenant}`);
  assert.equal(retained.status, 200);
  const { id: webhookId } = await bridge.register({
    url,
    name,
    externalId: `external-${tenant}`,
    topics: [filter],
    headers: { "X-Own": `header-of-${tenant}` },
  });
  await device.publishAsync(topic, `payload-of-${tenant}`, { qos: 1 });
  const messageId = await succeeded({ bridge }, webhookId);
  const create = async (path: string, body: object, headers = {}) => {
    const answer = await bridge.api("POST", path, body, headers);
    assert.ok(answer.status < 300, `${path} ${answer.bytes}`);
    return answer.body;
  };
  const sendAt = new Date(Date.now() + 3_600_000).toISOString();
  const stored = await create("/v1/messages", { topic: `tenants/${tenant}/commands`, sendAt });
  const request = await create("/v1/requests", { topic: `tenants/${tenant}/ask` }, { prefer: "respond-async" });
  const replay = await create(`/v1/webhooks/${webhookId}/replay`, { status: "succeeded" });
  await eventually(
    () => bridge.api("GET", `/v1/webhooks/${webhookId}/deliveries/${messageId}`),
    ({ body }) => body.attemptLog.length === 2 && body.status === "succeeded",
  );
  const hook = await create("/v1/hooks", { name: "hook", topic });
  const hookToken = hook.path.slice("/in/".length);
  const input = { name: `Key of ${tenant}`, scopes: ["view"], read: [filter] };
  const { key } = await create("/v1/keys", input);
  const externalId = `external-${tenant}`;
  const ids = {
    webhookId,
    externalId,
    messageId,
    storedId: stored.id,
    requestId: request.id,
    replayId: replay.id,
    hookId: hook.id,
    hookToken,
  };
  const texts = [name, url, `tenants/${tenant}/`, input.name, ...Object.values(ids)];
  const contents = ["payload", "header", "response-of-hook", "retained"].map((what) => `${what}-of-${tenant}`);
  return { name, filter, topic, retainedTopic, key, ...ids, needles: [...texts, ...contents] };
}

/** Resolves with the id of the webhook's message once it has been delivered. */
async function succeeded({ bridge }: Pick<Scenario, "bridge">, webhookId: string): Promise<string> {
  const { body } = await eventually(
    () => bridge.api("GET", `/v1/webhooks/${webhookId}/deliveries?status=succeeded`),
    (answer) => answer.body.items.length === 1,
  );
  return body.items[0].messageId;
}
