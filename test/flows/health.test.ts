/** A failing receiver: the breaker opens, lets one probe pass, closes, and announces each change. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { readEvent } from "../support/events.ts";
import { eventually } from "../support/eventually.ts";
import type { ReceivedCall, Receiver } from "../support/receiver.ts";
import { embedded, inProcess, mosquittoAndRedis, scenario } from "../support/scenario.ts";

const OPEN_MS = 400;
const NEVER_SOON = { scheduleSeconds: [3_600] };
const EVENTS = ["webhook.failing", "webhook.recovered", "webhook.disabled", "delivery.failed"];

for (const kind of [embedded, mosquittoAndRedis("5")]) {
  describe(`circuit breaker and webhook events: ${kind.name}`, kind.options, () => {
    const five = kind.broker === "5";
    const world = scenario(kind, {
      run: inProcess({ openMs: OPEN_MS, maxOpenMs: 4 * OPEN_MS }),
      device: { protocolVersion: five ? 5 : 4 },
    });
    const answers = new Map<string, Receiver["answer"]>();
    /** All messages under `causeway/events/`, in order of arrival. */
    const heard: {
      topic: string;
      event: { type: string; subject: string; data: Record<string, unknown> };
      contentType?: string;
    }[] = [];

    before(async () => {
      const { receiver, device } = world;
      receiver.answer = (call) => answers.get(call.path.split("?")[0]!)?.(call) ?? 204;
      device.on("message", (topic, payload, { properties }) => {
        if (!topic.startsWith("causeway/events/")) return;
        const contentType = properties?.contentType;
        heard.push({ topic, event: JSON.parse(String(payload)), ...(contentType && { contentType }) });
      });
      await device.subscribeAsync("causeway/events/#", { qos: 1 });
    });

    const register = (path: string, webhook = {}) =>
      world.bridge.register({ url: `${world.receiver.url}${path}?token=secret`, topics: [path.slice(1)], ...webhook });
    const publish = async (topic: string, count: number) => {
      for (let i = 0; i < count; i++) await world.device.publishAsync(topic, String(i), { qos: 1 });
    };
    const at = (path: string, calls: ReceivedCall[]) => calls.filter((call) => call.path.startsWith(`${path}?`));
    const get = async (id: string) => (await world.bridge.api("GET", `/v1/webhooks/${id}`)).body;
    const untilHeard = (type: string, id: string) =>
      eventually(
        () => heard.find(({ topic }) => topic === `causeway/events/${type}/${id}`),
        (found) => found !== undefined,
      );

    it("opens after ten failures, lets one probe pass at a time, and closes with the first success", async () => {
      answers.set("/sick", () => 500);
      const audit = await register("/audit", { topics: [], events: EVENTS });
      const { id } = await register("/sick", { retry: NEVER_SOON, concurrency: 20, name: "boiler" });
      await publish("sick", 60);
      const failing = await eventually(
        () => get(id),
        ({ state }) => state === "failing",
      );
      assert.ok(Date.parse(failing.failingSince) <= Date.now());
      assert.ok(Date.parse(failing.nextProbeAt) > Date.parse(failing.failingSince), failing.nextProbeAt);
      await eventually(
        () => get(id),
        ({ counts }) => counts.active === 0,
      );
      const called = at("/sick", world.receiver.attempts).length;
      assert.ok(called >= 10 && called < 40, `${called} calls: ten, and what was under way`);

      // Single probes, the interval doubled after each.
      await world.receiver.until(() => at("/sick", world.receiver.attempts).length >= called + 3);
      const [first, second, third] = at("/sick", world.receiver.attempts)
        .slice(called)
        .map(({ at }) => at);
      const [one, two] = [second! - first!, third! - second!];
      assert.ok(one >= 2 * OPEN_MS - 50 && two >= 4 * OPEN_MS - 50, `probes after ${one} and ${two} ms`);
      assert.equal(at("/sick", world.receiver.calls).length, 0);

      answers.delete("/sick");
      const { counts } = await get(id);
      await world.receiver.until((calls) => at("/sick", calls).length >= counts.pending, 30_000);
      assert.equal(
        (
          await eventually(
            () => get(id),
            ({ state }) => state === "active",
          )
        ).failingSince,
        null,
      );
      for (const { headers } of at("/sick", world.receiver.calls)) {
        assert.equal(headers["causeway-attempt"], "1", "what waited has lost no attempt");
      }

      const { topic, event, contentType } = (await untilHeard("webhook.failing", id))!;
      assert.equal(topic, `causeway/events/webhook.failing/${id}`);
      assert.equal(contentType, five ? "application/cloudevents+json" : undefined);
      const { data, ...attributes } = event;
      assert.deepEqual(Object.keys(attributes).sort(), [
        ...["datacontenttype", "id", "source", "specversion", "subject", "time", "type"],
      ]);
      assert.deepEqual([attributes.type, attributes.subject], ["webhook.failing", id]);
      assert.deepEqual(
        { ...data, failingSince: "" },
        {
          ...{ webhookId: id, name: "boiler", url: `${world.receiver.url}/sick`, state: "failing", failingSince: "" },
          reason: "the last 10 attempts failed",
        },
      );
      await untilHeard("webhook.recovered", id);
      await world.receiver.until((calls) => at("/audit", calls).length >= 2);
      const told = at("/audit", world.receiver.calls).map((call) => readEvent(call, audit.secret));
      assert.deepEqual(told.map(({ type }) => type).sort(), ["webhook.failing", "webhook.recovered"]);
      assert.deepEqual(
        told.find(({ type }) => type === "webhook.failing")?.data,
        data,
        "the same to the webhook and at the broker",
      );
      for (const type of ["webhook.failing", "webhook.recovered"]) {
        const count = heard.filter(({ topic }) => topic.endsWith(`${type}/${id}`)).length;
        assert.equal(count, 1, `${type} ${count} times`);
      }
      const { text } = await world.bridge.api("GET", "/metrics");
      assert.match(text, /causeway_webhooks_failing 0\n/);
      assert.match(text, /causeway_webhook_transitions_total\{event="webhook.failing"\} 1\n/);
      assert.ok(world.bridge.log.some(({ msg, webhook_id }) => msg === "webhook_failing" && webhook_id === id));
      assert.ok(world.bridge.log.some(({ msg, webhook_id }) => msg === "webhook_recovered" && webhook_id === id));
      assert.doesNotMatch(JSON.stringify(heard), /token=secret/);
    });

    it("announces a dead letter, but not the dead letter of an announcement", async () => {
      answers.set("/dead", () => 400);
      answers.set("/deaf", () => 400);
      const retry = { scheduleSeconds: [] };
      const deaf = await register("/deaf", { topics: ["causeway/events/#"], events: ["delivery.failed"], retry });
      const { id } = await register("/dead", { retry });
      await publish("dead", 1);
      const { event } = (await untilHeard("delivery.failed", id))!;
      const { messageId, topic, attempts, lastAttempt, suppressed } = event.data;
      assert.deepEqual([topic, attempts, suppressed], ["dead", 1, 0]);
      assert.equal((lastAttempt as { statusCode: number }).statusCode, 400);
      assert.equal(messageId, at("/dead", world.receiver.attempts)[0]!.headers["webhook-id"]);
      // Two deliveries fail: the event itself and its message at the broker. Neither creates another event.
      const { counts } = await eventually(
        () => get(deaf.id),
        ({ counts }) => counts.failed >= 2,
      );
      assert.equal(counts.failed, 2);
      assert.equal(heard.filter(({ topic }) => topic.includes(`/delivery.failed/${deaf.id}`)).length, 0);
      await world.bridge.api("DELETE", `/v1/webhooks/${deaf.id}`);
    });

    it("announces a webhook that answers 410, and calls it at once when it is enabled again", async () => {
      answers.set("/gone", () => 410);
      const { id } = await register("/gone", { retry: NEVER_SOON });
      await publish("gone", 3);
      const { event } = (await untilHeard("webhook.disabled", id))!;
      const { state, reason } = event.data;
      assert.deepEqual([state, reason], ["disabled", "the endpoint answered 410 Gone"]);
      assert.equal((await get(id)).disabled.reason, reason);
      answers.delete("/gone");
      await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { enabled: true });
      await world.receiver.until((calls) => at("/gone", calls).length === 3);
      assert.equal((await get(id)).state, "active");
    });

    it("resets with another URL", async () => {
      answers.set("/old", () => 500);
      const { id } = await register("/old", { retry: { scheduleSeconds: [0.1] }, concurrency: 1 });
      await publish("old", 12);
      await eventually(
        () => get(id),
        ({ state }) => state === "failing",
      );
      const { body } = await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { url: `${world.receiver.url}/new?x` });
      assert.deepEqual([body.state, body.failingSince, body.nextProbeAt], ["active", null, null]);
      await world.receiver.until((calls) => at("/new", calls).length >= 1);
    });

    it("drops the record of a removed webhook", async () => {
      answers.set("/removed", () => 500);
      const failing = async () =>
        Number(/causeway_webhooks_failing (\d+)/.exec((await world.bridge.api("GET", "/metrics")).text)?.[1]);
      const before = await failing();
      const { id } = await register("/removed", { retry: NEVER_SOON });
      await publish("removed", 12);
      await eventually(
        () => get(id),
        ({ state }) => state === "failing",
      );
      assert.equal(await failing(), before + 1);
      await world.bridge.api("DELETE", `/v1/webhooks/${id}`);
      await eventually(failing, (count) => count === before);
    });

    it("lets a webhook subscribe to events only with a key that may read everything", async () => {
      const body = { name: "tenant", scopes: ["webhooks", "read"], read: ["tenant/#"] };
      const { key } = (await world.bridge.api("POST", "/v1/keys", body)).body;
      const asked = { url: `${world.receiver.url}/x`, topics: ["tenant/a"], events: ["webhook.failing"] };
      const refused = await world.bridge.api("POST", "/v1/webhooks", asked, key);
      assert.deepEqual(
        [refused.status, refused.body.code, refused.body.errors[0].path],
        [403, "forbidden_topic", "events"],
      );
      const { body: own } = await world.bridge.api("POST", "/v1/webhooks", { ...asked, events: [] }, key);
      const patched = await world.bridge.api("PATCH", `/v1/webhooks/${own.id}`, { events: ["delivery.failed"] }, key);
      assert.deepEqual([patched.status, patched.body.errors[0].path], [403, "events"]);
      const { items } = (await world.bridge.api("GET", "/v1/webhooks", undefined, key)).body;
      assert.deepEqual(
        items.map(({ id }: { id: string }) => id),
        [own.id],
        "a webhook with events and no topics is not shown either",
      );
      const nothing = await world.bridge.api("POST", "/v1/webhooks", { url: asked.url, topics: [] });
      assert.deepEqual([nothing.status, nothing.body.errors[0].path], [400, "topics"]);
    });
  });
}
