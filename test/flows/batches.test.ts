/** Batches with the real process: the calls that a receiver gets and the effects of its responses. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { HTTP } from "cloudevents";
import { connectAsync, type MqttClient } from "mqtt";
import type { TestBridge } from "../support/bridge.ts";
import { verifySignature } from "../support/events.ts";
import { eventually } from "../support/eventually.ts";
import { type ReceivedCall, type Receiver, startReceiver } from "../support/receiver.ts";
import { embedded, mosquittoAndRedis, type Setup } from "../support/setups.ts";

type Json = Record<string, unknown>;
type Event = { id: string; data: unknown };

/** Parses the events of a call with the library that a receiver would use. */
function eventsOf({ headers, body }: ReceivedCall): Event[] {
  const given = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
  const events = HTTP.toEvent({ headers: given, body: body.toString("utf8") });
  assert.ok(Array.isArray(events), "a batch");
  return events as Event[];
}

for (const kind of [embedded, mosquittoAndRedis("5")]) {
  describe(`batches: ${kind.name}`, kind.options, () => {
    let setup: Setup;
    let bridge: TestBridge;
    let receiver: Receiver;
    let device: MqttClient;
    const answers = new Map<string, Receiver["answer"]>();

    before(async () => {
      setup = await kind.start();
      bridge = setup.bridge;
      receiver = await startReceiver();
      receiver.answer = (call) => answers.get(call.path)?.(call) ?? 204;
      device = await connectAsync(setup.brokerUrl);
    });
    after(async () => {
      await device?.endAsync();
      await setup?.close();
      await receiver?.close();
    });

    const register = (topic: string, fields: Json) =>
      bridge.register({ url: `${receiver.url}/${topic}`, topics: [topic], ...fields });
    const publishAll = (topic: string, from: number, to: number) =>
      Promise.all(
        Array.from({ length: to - from }, (_, i) => device.publishAsync(topic, String(from + i), { qos: 1 })),
      );
    const attempts = (topic: string) => receiver.attempts.filter(({ path }) => path === `/${topic}`);
    const untilAttempts = (topic: string, count: number) => receiver.until(() => attempts(topic).length >= count);
    const data = (call: ReceivedCall) =>
      eventsOf(call)
        .map((event) => Number(event.data))
        .sort((a, b) => a - b);
    const untilCounts = (id: string, wanted: Json) =>
      eventually(
        async () => (await bridge.api("GET", `/v1/webhooks/${id}`)).body.counts,
        (counts) => Object.entries(wanted).every(([status, count]) => counts[status] === count),
      );

    it("sends many events in one call, and repeats only those that the response names", async () => {
      const retry = { scheduleSeconds: [0.5, 0.5] };
      const { id, secret } = await register("partial", { batch: { maxSize: 10, maxWaitMs: 60_000 }, retry });
      answers.set("/partial", (call) => {
        const failed = eventsOf(call).filter((event) => [3, 7].includes(Number(event.data)));
        return { status: 200, body: JSON.stringify({ failed: [...failed.map((event) => event.id), "msg_unknown"] }) };
      });
      await publishAll("partial", 0, 10);
      await untilAttempts("partial", 1);
      const [first] = attempts("partial");
      verifySignature(first!, secret);
      assert.deepEqual(data(first!), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      assert.equal(first!.headers["causeway-attempt"], "1");
      await untilCounts(id, { succeeded: 8, retrying: 2 });
      const { body } = await bridge.api("GET", `/v1/webhooks/${id}/deliveries?status=retrying`);
      for (const { attempts: made, lastAttempt } of body.items) {
        assert.deepEqual([made, lastAttempt.statusCode, lastAttempt.error], [1, 200, "not_accepted"]);
      }
      answers.delete("/partial");
      // Two events wait for their next attempt: eight more fill the batch.
      await publishAll("partial", 10, 18);
      await untilAttempts("partial", 2);
      const [, second] = attempts("partial");
      verifySignature(second!, secret);
      assert.notEqual(second!.headers["webhook-id"], first!.headers["webhook-id"]);
      assert.equal(second!.headers["causeway-attempt"], "2", "the highest in it");
      assert.deepEqual(data(second!), [3, 7, 10, 11, 12, 13, 14, 15, 16, 17]);
      const ids = (call: ReceivedCall) => eventsOf(call).map((event) => event.id);
      assert.equal(ids(first!).filter((each) => ids(second!).includes(each)).length, 2, "events keep their ids");
      await untilCounts(id, { succeeded: 18, retrying: 0 });
    });

    it("applies any other response to all events, 429 and 410 included", async () => {
      const { id } = await register("all", { batch: { maxSize: 3, maxWaitMs: 2_000 }, retry: { scheduleSeconds: [] } });
      answers.set("/all", () =>
        attempts("all").length === 1 ? { status: 429, headers: { "retry-after": "1" } } : 410,
      );
      await publishAll("all", 0, 3);
      await untilAttempts("all", 2);
      const [refused, gone] = attempts("all");
      assert.ok(gone!.at - refused!.at >= 950, `${gone!.at - refused!.at} ms`);
      assert.equal(gone!.headers["causeway-attempt"], "1");
      for (let state = ""; state !== "disabled"; ) state = (await bridge.api("GET", `/v1/webhooks/${id}`)).body.state;
      answers.delete("/all");
      await bridge.api("PATCH", `/v1/webhooks/${id}`, { enabled: true });
      await untilCounts(id, { succeeded: 3, failed: 0 });
    });

    it("refuses batches together with ordering or binary mode, also through a change", async () => {
      const url = `${receiver.url}/no`;
      const refused = async (method: string, path: string, body: Json) => {
        const { status, body: problem } = await bridge.api(method, path, body);
        assert.deepEqual([status, problem.code, problem.errors?.[0].path], [400, "invalid_request", "batch"]);
      };
      const batch = { maxSize: 5 };
      for (const other of [{ mode: "binary" }, { ordering: "topic" }, { ordering: "strict" }]) {
        await refused("POST", "/v1/webhooks", { url, topics: ["no"], batch, ...other });
        const { id } = await register("no", other);
        await refused("PATCH", `/v1/webhooks/${id}`, { batch });
        const batched = await register("no", { batch });
        await refused("PATCH", `/v1/webhooks/${batched.id}`, other);
        const { body } = await bridge.api("PATCH", `/v1/webhooks/${batched.id}`, { ...other, batch: null });
        assert.equal(body.batch, undefined);
        for (const each of [id, batched.id]) await bridge.api("DELETE", `/v1/webhooks/${each}`);
      }
      const { id } = await register("no", {});
      const { body } = await bridge.api("PATCH", `/v1/webhooks/${id}`, { batch });
      assert.deepEqual(body.batch, { maxSize: 5, maxWaitMs: 1_000 });
    });
  });
}
