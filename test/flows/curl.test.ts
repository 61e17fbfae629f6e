/** Every downlink call with curl, as a person types it, on every kind of broker. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { eventually } from "../support/eventually.ts";
import { startProcess } from "../support/processes.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { embedded, mosquittoAndRedis, scenario } from "../support/scenario.ts";

const JSON_TYPE = ["-H", "content-type: application/json"];
const ASYNC = ["-H", "prefer: respond-async"];

for (const kind of [embedded, mosquittoAndRedis("5"), mosquittoAndRedis("3.1.1")]) {
  const { skip } = requireOrSkip("curl");
  describe(`the downlink with curl: ${kind.name}`, skip ? { skip } : kind.options, () => {
    const world = scenario(kind);
    before(async () => {
      const { device } = world;
      await device.subscribeAsync("curl/#", { qos: 2 });
      device.on("message", (topic, payload) => {
        if (topic.includes("/ask/")) device.publish(topic.replace("ask", "answer"), payload);
      });
    });

    /** Returns status and body. */
    async function curl(path: string, ...args: string[]): Promise<[number, string]> {
      const auth = ["-H", "authorization: Bearer test-key-0123456789abcdef"];
      const run = startProcess("curl", ["-s", "-w", "\n%{http_code}", ...auth, ...args, world.bridge.url + path]);
      await run.exited;
      const at = run.output.lastIndexOf("\n");
      return [Number(run.output.slice(at + 1)), run.output.slice(0, at)];
    }

    it("publishes at each QoS", async () => {
      for (const qos of [0, 1, 2]) {
        const [status, body] = await curl(
          "/v1/messages",
          ...JSON_TYPE,
          "-d",
          `{"topic":"curl/a","payload":1,"qos":${qos}}`,
        );
        assert.equal(status, 200, body);
        assert.equal(JSON.parse(body).outcome, qos === 0 ? "sent" : "acknowledged");
      }
    });

    it("stores, reads and cancels a publish", async () => {
      const stored = await curl("/v1/messages", ...JSON_TYPE, ...ASYNC, "-d", '{"topic":"curl/b"}');
      assert.equal(stored[0], 202, stored[1]);
      const later = new Date(Date.now() + 3_600_000).toISOString();
      const [status, body] = await curl("/v1/messages", ...JSON_TYPE, "-d", `{"topic":"curl/b","sendAt":"${later}"}`);
      assert.equal(status, 202, body);
      const { id, outcome } = JSON.parse(body);
      assert.equal(outcome, "scheduled");
      assert.equal((await curl(`/v1/messages/${id}`))[0], 200);
      assert.equal((await curl(`/v1/messages/${id}`, "-X", "DELETE"))[0], 204);
      assert.equal((await curl(`/v1/messages/${id}`))[0], 404);
    });

    it("publishes a batch as JSON and as lines", async () => {
      const [status, body] = await curl(
        "/v1/messages/batch",
        ...JSON_TYPE,
        "-d",
        '{"messages":[{"topic":"curl/c"},{"topic":"#"}]}',
      );
      assert.equal(status, 200, body);
      assert.deepEqual(
        JSON.parse(body).results.map((result: { status: number }) => result.status),
        [200, 400],
      );
      const type = ["-H", "content-type: application/x-ndjson"];
      const [lines, text] = await curl(
        "/v1/messages/batch",
        ...type,
        "--data-binary",
        '{"topic":"curl/c"}\n{"topic":"curl/d"}\n',
      );
      assert.equal(lines, 200, text);
      assert.equal(text.trim().split("\n").length, 2);
    });

    it("reads, publishes and clears a topic as a resource", async () => {
      assert.equal(
        (await curl("/v1/topics/curl/e", "-X", "PUT", "-H", "content-type: text/plain", "-d", "kept"))[0],
        200,
      );
      assert.deepEqual(await curl("/v1/topics/curl/e"), [200, "kept"]);
      const [listed, page] = await curl("/v1/topics?filter=curl/%23");
      assert.equal(listed, 200, page);
      assert.equal(JSON.parse(page).items[0].topic, "curl/e");
      assert.equal((await curl("/v1/topics/curl/e", "-X", "POST", "-d", "more"))[0], 200);
      assert.equal((await curl("/v1/topics/curl/e", "-X", "DELETE"))[0], 200);
      assert.equal((await curl("/v1/topics/curl/e"))[0], 404);
    });

    it("sends a request to a device and stores an asynchronous request", async () => {
      const asked = '{"topic":"curl/ask/{requestId}","responseTopic":"curl/answer/{requestId}","payload":{"n":1.10}}';
      const [status, body] = await curl("/v1/requests", ...JSON_TYPE, "-d", asked);
      assert.equal(status, 200, body);
      assert.match(body, /"payload":\{"n":1\.10\}/);
      const [accepted, state] = await curl("/v1/requests", ...JSON_TYPE, ...ASYNC, "-d", asked);
      assert.equal(accepted, 202, state);
      const { id } = JSON.parse(state);
      await eventually(
        () => curl(`/v1/requests/${id}`),
        ([read, now]) => read === 200 && JSON.parse(now).outcome === "responded",
      );
    });

    it("streams messages", async () => {
      const reading = curl("/v1/stream?topic=curl/f", "-N", "-m", "3");
      // A message published before the stream is subscribed is not shown, so publish repeatedly while curl reads.
      const telling = setInterval(() => world.device.publish("curl/f", "seen"), 100);
      const [, text] = await reading;
      clearInterval(telling);
      assert.match(text, /^data: \{"specversion":"1\.0".*"data":"seen"/m);
    });

    it("creates, lists and revokes keys", async () => {
      const [status, body] = await curl(
        "/v1/keys",
        ...JSON_TYPE,
        "-d",
        '{"name":"k","scopes":["publish"],"publish":["curl/{keyName}"]}',
      );
      assert.equal(status, 201, body);
      const { id, key } = JSON.parse(body);
      const [, page] = await curl("/v1/keys");
      assert.ok(page.includes(id) && !page.includes(key));
      assert.equal((await curl(`/v1/keys/${id}`, "-X", "DELETE"))[0], 204);
    });
  });
}
