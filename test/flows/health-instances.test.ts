/** Two instances on one Redis share the circuit breakers. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { eventually } from "../support/eventually.ts";
import type { InProcess } from "../support/in-process.ts";
import { inProcess, mosquittoAndRedis, scenario } from "../support/scenario.ts";

const OPEN_MS = 500;

const kind = mosquittoAndRedis("5");
describe("the circuit breaker of two instances", kind.options, () => {
  const world = scenario(kind, {
    run: inProcess({ openMs: OPEN_MS, maxOpenMs: OPEN_MS }),
    env: { MQTT_CLIENT_ID: "one" },
  });
  const heard: string[] = [];
  const instances: InProcess[] = [];

  before(async () => {
    const { bridge, device, addBridge } = world;
    instances.push(bridge, await addBridge({ MQTT_CLIENT_ID: "two" }));
    device.on("message", (topic) => void heard.push(topic));
    await device.subscribeAsync("causeway/events/#", { qos: 1 });
  });

  const state = async ({ api }: InProcess, id: string) => (await api("GET", `/v1/webhooks/${id}`)).body;
  const transitions = (msg: string) => instances.map(({ log }) => log.filter((line) => line.msg === msg).length);

  it("is visible to both, probed by one, announced by one, and survives a restart", async () => {
    const [one, two] = instances as [InProcess, InProcess];
    let [underWay, most, broken] = [0, 0, true];
    world.receiver.answer = () => (broken ? 500 : 204);
    const { id } = await one.register({
      ...{ url: world.receiver.url, topics: ["t"], concurrency: 20, retry: { scheduleSeconds: [3_600] } },
    });
    // Both instances receive every message, each in its own session: both have deliveries to call for.
    for (let i = 0; i < 80; i++) await world.device.publishAsync("t", String(i), { qos: 1 });
    const [first, second] = await Promise.all(
      instances.map((each) =>
        eventually(
          () => state(each, id),
          (shown) => shown.state === "failing",
        ),
      ),
    );
    assert.equal(first.failingSince, second.failingSince);
    await eventually(
      () => state(one, id),
      ({ counts }) => counts.active === 0,
    );

    // A probe takes some time, and no other call happens meanwhile.
    const before = world.receiver.attempts.length;
    world.receiver.delayMs = 150;
    world.receiver.answer = () => {
      underWay--;
      return broken ? 500 : 204;
    };
    const count = setInterval(() => {
      const answered = world.receiver.attempts.length - before + underWay;
      most = Math.max(most, answered);
    }, 10);
    await world.receiver.untilCalled(before + 3);
    clearInterval(count);
    const times = world.receiver.attempts.slice(before).map(({ at }) => at);
    for (const [i, time] of times.slice(1).entries()) {
      assert.ok(time - times[i]! >= OPEN_MS, `two probes within ${time - times[i]!} ms`);
    }
    assert.equal(most, 1, "calls under way at once");

    await two.bridge.stop();
    instances[1] = await world.addBridge({ MQTT_CLIENT_ID: "two" });
    assert.equal((await state(instances[1], id)).failingSince, first.failingSince);

    broken = false;
    world.receiver.delayMs = 0;
    const { counts } = await state(one, id);
    await world.receiver.until((calls) => calls.length >= counts.pending, 30_000);
    for (const each of instances)
      await eventually(
        () => state(each, id),
        (shown) => shown.state === "active",
      );

    const told = (type: string) => heard.filter((topic) => topic === `causeway/events/${type}/${id}`).length;
    await eventually(
      () => told("webhook.recovered"),
      (times) => times > 0,
    );
    assert.deepEqual([told("webhook.failing"), told("webhook.recovered")], [1, 1]);
    const seen = [...transitions("webhook_failing"), ...two.log.filter(({ msg }) => msg === "webhook_failing")];
    assert.equal(seen.filter(Boolean).length, 1, "one of them made the transition");
    assert.equal(
      transitions("webhook_recovered").reduce((sum, times) => sum + times),
      1,
    );
  });
});
