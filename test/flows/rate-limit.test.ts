/** `rateLimit` and Retry-After: no call happens too early, and no delivery loses an attempt. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually } from "../support/eventually.ts";
import { embedded, inProcess, mosquittoAndRedis, scenario } from "../support/scenario.ts";

// At the same time: they mostly wait.
describe("rate limits", { concurrency: true }, () => {
  for (const kind of [embedded, mosquittoAndRedis("5")]) {
    describe(`the rate limit of a webhook: ${kind.name}`, { ...kind.options, concurrency: 1 }, () => {
      const world = scenario(kind, { run: inProcess() });

      const register = (path: string, webhook = {}) =>
        world.bridge.register({
          url: world.receiver.url + path,
          topics: [path.slice(1)],
          retry: { scheduleSeconds: [] },
          ...webhook,
        });
      const publish = async (topic: string, count: number) => {
        for (let i = 0; i < count; i++) await world.device.publishAsync(topic, String(i), { qos: 1 });
      };
      const at = (path: string) => world.receiver.attempts.filter((call) => call.path === path);
      /** Returns the largest number of calls within any interval of `ms` milliseconds. */
      const densest = (path: string, ms: number) => {
        const times = at(path).map(({ at }) => at);
        return Math.max(...times.map((from) => times.filter((time) => time >= from && time < from + ms).length));
      };

      it("is kept, can be changed and removed at once, and costs no attempt", async () => {
        const { id } = await register("/limited", { rateLimit: { max: 3, perSeconds: 2 } });
        await publish("limited", 40);
        await world.receiver.until(() => at("/limited").length >= 7);
        // The interval touches two periods: six calls at most around their boundary.
        assert.ok(densest("/limited", 1_900) <= 6, `${densest("/limited", 1_900)} in two seconds`);
        const begun = at("/limited")[0]!.at;
        assert.ok(at("/limited")[6]!.at - begun >= 3_800, `the seventh after ${at("/limited")[6]!.at - begun} ms`);

        const faster = await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { rateLimit: { max: 10, perSeconds: 1 } });
        assert.deepEqual(faster.body.rateLimit, { max: 10, perSeconds: 1 });
        await world.receiver.until(() => at("/limited").length >= 20);
        const free = await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { rateLimit: null });
        assert.equal(free.body.rateLimit, undefined);
        await world.receiver.until((calls) => calls.filter(({ path }) => path === "/limited").length === 40);
        for (const { headers } of at("/limited")) assert.equal(headers["causeway-attempt"], "1");
      });

      it("still holds during the cool-downs of an overloaded endpoint", async () => {
        world.receiver.answer = ({ path }) =>
          path === "/both" ? { status: 429, headers: { "retry-after": "1" } } : 204;
        await register("/both", { rateLimit: { max: 2, perSeconds: 8 }, concurrency: 1 });
        await publish("both", 5);
        await world.receiver.until(() => at("/both").length >= 3);
        const times = at("/both").map(({ at }) => at);
        // Two calls in eight seconds, although the receiver asks for a pause of one second only.
        assert.ok(times[2]! - times[0]! >= 7_500, `the third after ${times[2]! - times[0]!} ms`);
        world.receiver.answer = () => 204;
      });

      it("waits five seconds after 429 with Retry-After, and uses up no attempt", async () => {
        world.receiver.answer = ({ path }) =>
          path === "/busy" && at("/busy").length <= 1 ? { status: 429, headers: { "retry-after": "5" } } : 204;
        const { id } = await register("/busy", { concurrency: 1 });
        await publish("busy", 3);
        await world.receiver.until((calls) => calls.filter(({ path }) => path === "/busy").length === 3);
        const [refused, next] = at("/busy");
        const waited = next!.at - refused!.at;
        assert.ok(waited >= 4_950 && waited < 12_000, `it waited ${waited} ms`);
        for (const { headers } of at("/busy")) assert.equal(headers["causeway-attempt"], "1");
        const { counts } = await eventually(
          async () => (await world.bridge.api("GET", `/v1/webhooks/${id}`)).body,
          ({ counts }) => counts.succeeded === 3,
        );
        assert.equal(counts.failed, 0);
      });

      it("ends the wait when the webhook gets another URL", async () => {
        world.receiver.answer = ({ path }) =>
          path === "/long" ? { status: 503, headers: { "retry-after": "3600" } } : 204;
        const { id } = await register("/long");
        await publish("long", 1);
        await world.receiver.until(() => at("/long").length >= 1);
        await eventually(
          async () => (await world.bridge.api("GET", `/v1/webhooks/${id}`)).body,
          ({ counts }) => counts.active === 0,
        );
        await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { url: `${world.receiver.url}/short` });
        await world.receiver.until((calls) => calls.some(({ path }) => path === "/short"), 10_000);
      });
    });
  }
});
