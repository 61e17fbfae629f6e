/** Deliveries over the API: their status, their attempts, and retries by request. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { eventually } from "../support/eventually.ts";
import { type ReceivedCall, type Receiver, startReceiver } from "../support/receiver.ts";
import { embedded, mosquittoAndRedis, scenario } from "../support/scenario.ts";

type Json = Record<string, unknown>;

const NEVER_SOON = { scheduleSeconds: [3_600] };
const NONE = { scheduleSeconds: [] };

for (const kind of [embedded, mosquittoAndRedis("5")]) {
  describe(`deliveries: ${kind.name}`, kind.options, () => {
    const world = scenario(kind);
    /** Response per path; the default is 204. */
    const answers = new Map<string, Receiver["answer"]>();
    before(() => {
      world.receiver.answer = (call) => answers.get(call.path)?.(call) ?? 204;
    });

    const register = async (name: string, webhook: Json = {}) =>
      (await world.bridge.register({ url: `${world.receiver.url}/${name}`, topics: [`${name}/#`], ...webhook })).id;
    const publish = (topic: string, payload = "x") => world.device.publishAsync(topic, payload, { qos: 1 });
    const attempted = (path: string) => world.receiver.attempts.filter((call: ReceivedCall) => call.path === path);
    const list = async (id: string, query = "") =>
      (await world.bridge.api("GET", `/v1/webhooks/${id}/deliveries${query}`)).body;
    const get = async (id: string, messageId: string) =>
      (await world.bridge.api("GET", `/v1/webhooks/${id}/deliveries/${messageId}`)).body;
    const retry = (id: string, messageId: string, headers = {}) =>
      world.bridge.api("POST", `/v1/webhooks/${id}/deliveries/${messageId}/retry`, undefined, headers);
    /** Polls until the only delivery has this status: no event announces the change. */
    const untilStatus = (id: string, wanted: string) =>
      eventually(
        async () => (await list(id)).items[0],
        (delivery) => delivery?.status === wanted,
      );
    const statusCodes = (log: Json[]) => log.map(({ statusCode }) => statusCode);

    it("keeps every attempt with its response, including those that use up no retry", async () => {
      const long = "é".repeat(2_000);
      const script: ReturnType<Receiver["answer"]>[] = [
        { status: 429, headers: { "retry-after": "1" }, body: "slow down" },
        { status: 500, body: long },
        { status: 200, body: "thank\u0000you" },
      ];
      answers.set("/log", () => script[attempted("/log").length - 1]!);
      const id = await register("log", { retry: { scheduleSeconds: [0.1] } });
      await publish("log/a", '{"n":1}');
      const { messageId, lastAttempt } = await untilStatus(id, "succeeded");
      assert.equal(lastAttempt.responseBody, undefined, "the list shows no answers");
      const { message, attemptLog, attempts, type, filtered } = await get(id, messageId);
      assert.deepEqual(message, { topic: "log/a", payload: '{"n":1}', qos: 1, retain: false });
      assert.deepEqual([type, filtered], ["mqtt.message", undefined]);
      assert.deepEqual(statusCodes(attemptLog), [429, 500, 200]);
      assert.deepEqual(
        attemptLog.map(({ error, responseBody }: Json) => [error, responseBody]),
        [
          ["http_error", "slow down"],
          ["http_error", long.slice(0, 512)],
          [null, "thank\ufffdyou"],
        ],
      );
      assert.equal(attempts, 2, "Retry-After uses up nothing");
      assert.equal(lastAttempt.request, undefined, "the list shows no requests");
      const numbers = attemptLog.map(
        ({ request }: { request: { headers: Json } }) => request.headers["causeway-attempt"],
      );
      assert.deepEqual(numbers, ["1", "1", "2"]);
      assert.deepEqual(
        attemptLog.map(({ at }: Json) => at).sort(),
        attemptLog.map(({ at }: Json) => at),
      );
      assert.equal((await get(id, messageId.replace(/.$/, "z"))).code, "not_found");
      assert.equal((await world.bridge.api("GET", `/v1/webhooks/${id}/deliveries/msg_x`)).status, 404);
    });

    it("lists by topic filter and time of receipt, page by page", async () => {
      const id = await register("list", { enabled: false });
      for (let i = 0; i < 30; i++) await publish(`list/${i % 3}/${i}`);
      // The embedded broker acknowledges before the bridge has the message.
      const all = await eventually(
        async (): Promise<Json[]> => (await list(id, "?limit=250")).items,
        ({ length }) => length === 30,
      );
      const pages = async (query: string, limit: number) => {
        const found: Json[] = [];
        for (let after = ""; ; ) {
          const { items, nextCursor } = await list(id, `?limit=${limit}${query}${after}`);
          assert.ok(items.length <= limit);
          found.push(...items);
          if (nextCursor === null) return found.map(({ topic }) => topic);
          after = `&after=${nextCursor}`;
        }
      };
      const topics = (of: Json[]) => of.map(({ topic }) => topic);
      const wanted = topics(all.filter(({ topic }: Json) => String(topic).startsWith("list/1/")));
      assert.equal(wanted.length, 10);
      for (const limit of [3, 10, 50]) {
        assert.deepEqual(await pages("&topic=list/1/%2B", limit), wanted);
        assert.deepEqual(await pages("", limit), topics(all));
      }
      const middle = String(all[12]!.receivedAt);
      const since = topics(all.filter(({ receivedAt }: Json) => String(receivedAt) >= middle));
      assert.deepEqual(await pages(`&since=${middle}`, 7), since);
      assert.deepEqual(
        await pages(`&until=${middle}&status=pending`, 7),
        topics(all).filter((topic) => !since.includes(topic)),
      );
      assert.deepEqual(await pages("&topic=other/%23", 7), []);
      for (const [query, path] of [
        ["topic=a%23", "query.topic"],
        ["since=yesterday", "query.since"],
        ["until=2026-02-30T00:00:00Z", "query.until"],
        ["since=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z", "query.since"],
        ["after=nonsense", "query.after"],
      ]) {
        const { status, body } = await world.bridge.api("GET", `/v1/webhooks/${id}/deliveries?${query}`);
        assert.deepEqual([status, body.errors?.[0].path], [400, path], query);
      }
    });

    it("lists across webhooks, newest first, with stable pages and the filters of one webhook's list", async () => {
      const waiting = await register("across/a", { enabled: false });
      const ended = await register("across/b");
      for (let i = 0; i < 6; i++) await publish(`across/${i % 2 === 0 ? "a" : "b"}/${i}`);
      const across = (query: string) => world.bridge.api("GET", `/v1/deliveries?topic=across/%23${query}`);
      const all: Json[] = await eventually(
        async () => (await across("")).body.items,
        (items: Json[]) => items.length === 6 && items.filter(({ status }) => status === "succeeded").length === 3,
      );
      const topics = (of: Json[]) => of.map(({ topic }) => topic);
      assert.deepEqual(topics(all), [
        "across/b/5",
        "across/a/4",
        "across/b/3",
        "across/a/2",
        "across/b/1",
        "across/a/0",
      ]);
      assert.deepEqual(
        topics((await across("&status=pending")).body.items),
        topics(all.filter(({ webhookId }) => webhookId === waiting)),
      );
      assert.deepEqual(
        (await across(`&webhookId=${ended}`)).body.items,
        all.filter(({ webhookId }) => webhookId === ended),
      );
      // Several messages may arrive in one millisecond.
      const [since, until] = [String(all[3]!.receivedAt), String(all[1]!.receivedAt)];
      assert.deepEqual(
        topics((await across(`&since=${since}&until=${until}`)).body.items),
        topics(all.filter(({ receivedAt }) => String(receivedAt) >= since && String(receivedAt) < until)),
      );
      const first = (await across("&limit=2")).body;
      await publish("across/a/later");
      await eventually(
        async () => (await across("")).body.items.length,
        (length) => length === 7,
      );
      const rest = (await across(`&limit=250&after=${first.nextCursor}`)).body;
      assert.deepEqual(topics([...first.items, ...rest.items]), topics(all));
      assert.equal(rest.nextCursor, null);
      assert.equal(first.items[0].payload, undefined);

      for (const [query, path] of [
        ["topic=a%23", "query.topic"],
        ["since=yesterday", "query.since"],
        ["since=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z", "query.since"],
        ["after=nonsense", "query.after"],
      ]) {
        const { status, body } = await world.bridge.api("GET", `/v1/deliveries?${query}`);
        assert.deepEqual([status, body.errors?.[0].path], [400, path], query);
      }
    });

    it("lists across webhooks only what the key may see", async () => {
      const hidden = await register("hidden");
      const shown = await register("shown");
      await publish("hidden/x");
      await publish("shown/x");
      for (const id of [hidden, shown]) await untilStatus(id, "succeeded");
      const { body: key } = await world.bridge.api("POST", "/v1/keys", {
        name: "n",
        scopes: ["webhooks"],
        read: ["shown/#"],
      });
      const headers = { authorization: `Bearer ${key.key}` };
      const across = (query = "") => world.bridge.api("GET", `/v1/deliveries${query}`, undefined, headers);
      assert.deepEqual(
        (await across()).body.items.map(({ webhookId }: Json) => webhookId),
        [shown],
      );
      for (const id of [hidden, "wh_none"]) {
        const { status, body } = await across(`?webhookId=${id}`);
        assert.deepEqual([status, body.code], [404, "not_found"]);
      }
    });

    it("delivers a failed and a succeeded delivery again with its whole schedule and keeps its attempts", async () => {
      let status = 500;
      answers.set("/again", () => status);
      const id = await register("again", { retry: { scheduleSeconds: [0.1] } });
      await publish("again/x");
      const { messageId, attempts } = await untilStatus(id, "failed");
      assert.equal(attempts, 2);
      await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { enabled: false });
      const { status: accepted, body } = await retry(id, messageId, { "idempotency-key": `again-${kind.name}` });
      assert.deepEqual([accepted, body.status, body.attempts, body.finishedAt], [202, "pending", 0, null]);
      assert.equal(body.lastAttempt.statusCode, 500);
      const replayed = await retry(id, messageId, { "idempotency-key": `again-${kind.name}` });
      assert.deepEqual([replayed.status, replayed.headers.get("idempotent-replayed")], [202, "true"]);
      const refused = await retry(id, messageId);
      assert.deepEqual([refused.status, refused.body.code], [409, "conflict"]);
      assert.equal((await untilStatus(id, "pending")).lastAttempt.statusCode, 500, "alike on both stores");

      await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { enabled: true });
      await world.receiver.until(() => attempted("/again").length === 4);
      await untilStatus(id, "failed");
      status = 204;
      assert.equal((await retry(id, messageId)).status, 202);
      await untilStatus(id, "succeeded");
      assert.equal((await retry(id, messageId)).status, 202);
      await world.receiver.until((calls) => calls.filter(({ path }) => path === "/again").length === 2);
      await untilStatus(id, "succeeded");
      const calls = attempted("/again");
      assert.deepEqual(
        calls.map(({ headers }) => headers["causeway-attempt"]),
        ["1", "2", "1", "2", "1", "1"],
      );
      assert.deepEqual([...new Set(calls.map(({ headers }) => headers["webhook-id"]))], [messageId]);
      assert.deepEqual(statusCodes((await get(id, messageId)).attemptLog), [500, 500, 500, 500, 204, 204]);
      assert.equal((await retry(id, messageId.replace(/.$/, "z"))).status, 404);
    });

    it("runs a delivery that waits for its next attempt now, ahead of the others", async () => {
      answers.set("/now", (call) => (attempted("/now").length <= 1 && call ? 500 : 204));
      const id = await register("now", { retry: NEVER_SOON, concurrency: 1 });
      await publish("now/first");
      const { messageId } = await untilStatus(id, "retrying");
      await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { enabled: false });
      for (let i = 0; i < 3; i++) await publish(`now/${i}`);
      await eventually(
        () => list(id, "?status=pending"),
        ({ items }) => items.length >= 3,
      );
      assert.equal((await retry(id, messageId)).status, 202);
      await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { enabled: true });
      await world.receiver.until((calls) => calls.filter(({ path }) => path === "/now").length === 4);
      const [, second] = attempted("/now");
      assert.equal(second!.headers["webhook-id"], messageId);
      assert.equal(second!.headers["causeway-attempt"], "2");
    });

    it("refuses a retry during an attempt, and never fails in a race with its end", async () => {
      const slow = await startReceiver();
      slow.delayMs = 400;
      const { id } = await world.bridge.register({ url: slow.url, topics: ["race"], retry: NONE });
      await publish("race");
      await slow.untilCalled(1);
      const [{ messageId }] = (await list(id)).items;
      const busy = await retry(id, messageId);
      assert.deepEqual([busy.status, busy.body.code], [409, "conflict"]);
      slow.delayMs = 0;
      await untilStatus(id, "succeeded");
      const seen = new Set<number>();
      for (let i = 0; i < 30; i++) {
        const answers = await Promise.all([1, 2, 3].map(() => retry(id, messageId)));
        for (const { status } of answers) seen.add(status);
      }
      assert.deepEqual([...seen].sort(), [202, 409]);
      await slow.close();
    });

    it("reveals and changes nothing for a key that may not read the webhook's topics", async () => {
      const id = await register("secret", { retry: NONE });
      await publish("secret/x");
      const { messageId } = await untilStatus(id, "succeeded");
      const { body: key } = await world.bridge.api("POST", "/v1/keys", {
        name: "n",
        scopes: ["webhooks"],
        read: ["other/#"],
      });
      const headers = { authorization: `Bearer ${key.key}` };
      for (const [method, path, body] of [
        ["GET", "deliveries"],
        ["GET", `deliveries/${messageId}`],
        ["POST", `deliveries/${messageId}/retry`],
        ["POST", "replay", { status: "succeeded" }],
        ["GET", "replays/rpl_x"],
        ["DELETE", "replays/rpl_x"],
      ] as const) {
        const answer = await world.bridge.api(method, `/v1/webhooks/${id}/${path}`, body, headers);
        assert.deepEqual([answer.status, answer.body.code], [404, "not_found"], `${method} ${path}`);
      }
      assert.equal(attempted("/secret").length, 1);
    });
  });
}
