/** Invalid registrations and requests accepted by an older version do not reach the broker, and all else works. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RESPONSES_GATE } from "../../src/downlink/response-gate.ts";
import { toJob } from "../../src/downlink/stored-publish.ts";
import { newId } from "../../src/message.ts";
import { openRedisStore } from "../../src/store/redis/open.ts";
import { mosquittoAndRedis, startScenario } from "../support/scenario.ts";

const DEEP = Array(210).fill("a").join("/");
const log = { info() {}, warn() {}, error() {} };
const servers = mosquittoAndRedis("5");

describe("records of an older version", servers.options, () => {
  it("with a filter that no broker accepts are set aside with the reason", async (t) => {
    const { bridge, redis, receiver } = await startScenario(t, servers);
    const { id: webhookId } = await bridge.register({ url: receiver.url, topics: ["alive"] });
    await bridge.stop();

    const store = await openRedisStore({ url: redis!.url, log });
    const webhooks = store.records<{ topics: string[] }>("webhooks");
    const { value, version } = (await webhooks.get(webhookId))!;
    await webhooks.replace(webhookId, { ...value, topics: [DEEP, "alive"] }, version);
    await store.records("subscriptions").create(DEEP, { session: 0, id: 7 });
    const id = newId("req");
    const [createdAt, expiresAt] = [Date.now(), Date.now() + 3_600_000];
    const asked = { id, topic: "t", responseTopic: DEEP, filter: DEEP, match: "first", correlation: "" };
    await store.records("requests").create(id, { ...asked, createdAt, expiresAt });
    const message = { id, topic: "t", payload: Buffer.from("x"), qos: 1, retain: false, responseTopic: DEEP } as const;
    const queue = store.queues.queue("publish");
    await queue.add("publish", toJob(message, { expiresAt, before: RESPONSES_GATE }, createdAt), { jobId: id });
    await queue.close();
    await store.close();

    await bridge.start();
    await bridge.readiness(200);
    await bridge.waitForOutput(/filter_set_aside/);
    await bridge.waitForOutput(/request_set_aside/);
    assert.equal((await bridge.api("POST", "/v1/messages", { topic: "alive", payload: "yes" })).status, 200);
    await receiver.until((calls) => calls.length === 1);
    const { body } = await bridge.api("GET", `/v1/requests/${id}`);
    assert.deepEqual([body.outcome, body.error], ["failed", "responseTopic: must not have more than 100 levels"]);
    const { outcome, error } = (await bridge.api("GET", `/v1/messages/${id}`)).body;
    assert.deepEqual([outcome, error], ["failed", body.error]);
    assert.equal((await bridge.api("DELETE", `/v1/requests/${id}`)).status, 409);
  });
});
