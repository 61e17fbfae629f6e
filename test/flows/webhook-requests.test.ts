/** The requests that a webhook makes: their method, the URL for each topic, and their record in the attempt log. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { eventually } from "../support/eventually.ts";
import { embedded, mosquittoAndRedis, scenario } from "../support/scenario.ts";

type Json = Record<string, unknown>;

for (const kind of [embedded, mosquittoAndRedis("5")]) {
  describe(`requests of webhooks: ${kind.name}`, kind.options, () => {
    const world = scenario(kind);
    before(() => {
      world.receiver.answer = ({ path }) => (path.startsWith("/sent/") ? 500 : 204);
    });

    const register = async (name: string, webhook: Json = {}) =>
      (await world.bridge.register({ url: `${world.receiver.url}/${name}`, topics: [`${name}/#`], ...webhook })).id;
    const publish = (topic: string, payload = "x") => world.device.publishAsync(topic, payload, { qos: 1 });
    const attempted = (path: string) => world.receiver.attempts.filter((call) => call.path === path);
    const list = async (id: string, query = "") =>
      (await world.bridge.api("GET", `/v1/webhooks/${id}/deliveries${query}`)).body;
    const get = async (id: string, messageId: string) =>
      (await world.bridge.api("GET", `/v1/webhooks/${id}/deliveries/${messageId}`)).body;
    /** Polls until the only delivery has this status: no event announces the change. */
    const untilStatus = (id: string, wanted: string) =>
      eventually(
        async () => (await list(id)).items[0],
        (delivery) => delivery?.status === wanted,
      );

    it("keeps the request of failed and repeated attempts as it was sent, without credentials", async () => {
      const id = await register("sent", {
        url: `${world.receiver.url}/sent/{topic[1]}?all={topic}&key=k3y-value`,
        ...{ method: "PUT", headers: { "x-tenant": "7", "x-api-key": "s3cret-value" }, retry: { scheduleSeconds: [] } },
        auth: { type: "bearer", token: "b3arer-value" },
      });
      await publish("sent/pi 7", "{}");
      const { messageId } = await untilStatus(id, "failed");
      const { attemptLog } = await get(id, messageId);
      const [call] = world.receiver.attempts.filter(({ path }) => path.startsWith("/sent/"));
      assert.equal(call!.method, "PUT");
      const { method, url, headers } = attemptLog[0].request;
      assert.deepEqual([method, url], ["PUT", `${world.receiver.url}/sent/pi%207?all=sent%2Fpi%207&key=********`]);
      assert.deepEqual([headers["x-tenant"], headers["webhook-id"]], ["7", messageId]);
      assert.equal(headers["webhook-timestamp"], call!.headers["webhook-timestamp"]);
      for (const name of ["x-api-key", "webhook-signature", "authorization"]) assert.equal(headers[name], "********");
      assert.doesNotMatch(JSON.stringify(attemptLog), /k3y-value|s3cret-value|b3arer-value/);

      // A first attempt that succeeds is the common case, and is recorded without its request.
      const plain = await register("plain");
      await publish("plain/1");
      const done = await untilStatus(plain, "succeeded");
      assert.equal((await get(plain, done.messageId)).attemptLog[0].request, null);
    });

    it("fails deliveries for good whose topic does not fit the URL, until the URL is corrected", async () => {
      const url = `${world.receiver.url}/levels/{topic[2]}`;
      const id = await register("levels", { url });
      await publish("levels/1");
      await publish("levels/../..");
      const failed = await eventually(
        async (): Promise<Json[]> => (await list(id, "?status=failed")).items,
        ({ length }) => length === 2,
      );
      for (const { messageId, attempts } of failed) {
        const { attemptLog } = await get(id, String(messageId));
        assert.deepEqual([attempts, attemptLog[0].error, attemptLog[0].request], [1, "url_error", null]);
      }
      assert.deepEqual(attempted("/levels/"), []);
      await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { url: `${world.receiver.url}/levels/{topic}` });
      await world.bridge.api("POST", `/v1/webhooks/${id}/replay`, { status: "failed" });
      await world.receiver.until(() => attempted("/levels/levels%2F..%2F..").length > 0);
    });

    it("refuses a template outside path and query, and one that its other fields do not allow", async () => {
      const { url } = world.receiver;
      const { port } = new URL(url);
      for (const [webhook, code, path] of [
        [{ url: "http://{topic}.example.com/" }, "invalid_url", "url"],
        [{ url: `http://127.0.0.1:${port.slice(0, -1)}{topic[0]}/` }, "invalid_url", "url"],
        [{ url: `${url}/{topic[x]}` }, "invalid_url", "url"],
        [{ url: "http://10.0.0.1/{topic}" }, "blocked_address", "url"],
        [{ url: `${url}/{topic[2]}`, topics: ["a/+"] }, "invalid_request", "url"],
        [{ url: `${url}/{topic}`, batch: { maxSize: 2 } }, "invalid_request", "batch"],
        [{ url: `${url}/{topic}`, verify: true }, "invalid_request", "verify"],
        [{ url, method: "GET" }, "invalid_request", "method"],
      ] as const) {
        const { status, body } = await world.bridge.api("POST", "/v1/webhooks", { topics: ["a/#"], ...webhook });
        assert.deepEqual([status, body.code, body.errors?.[0].path], [400, code, path], JSON.stringify(webhook));
      }
      const id = await register("changed", { batch: { maxSize: 2 } });
      const { status, body } = await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { url: `${url}/{topic}` });
      assert.deepEqual([status, body.errors?.[0].path], [400, "batch"]);
    });

    it("previews the method and the URL for each topic", async () => {
      const webhook = { url: `${world.receiver.url}/{topic[1]}`, method: "PATCH", topics: ["#"] };
      const messages = [{ topic: "a/b" }, { topic: "a" }];
      const { body } = await world.bridge.api("POST", "/v1/webhooks/preview", { webhook, messages });
      const [sent, failed] = body.results;
      assert.deepEqual([sent.request.method, sent.request.url], ["PATCH", `${world.receiver.url}/b`]);
      assert.deepEqual(failed, { outcome: "failed", error: "url_error: the topic has no level 1" });
    });
  });
}
