/** Each webhook gets each message once, even if its filters overlap with each other or with those of other webhooks. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { embedded, mosquittoAndRedis, scenario } from "../support/scenario.ts";

const WEBHOOKS = [
  { path: "/all", topics: ["a/#"], gets: (topic: string) => topic.startsWith("a/") },
  { path: "/x", topics: ["a/+/x"], gets: (topic: string) => /^a\/[^/]*\/x$/.test(topic) },
  { path: "/b", topics: ["a/b/+"], gets: (topic: string) => /^a\/b\/[^/]*$/.test(topic) },
  { path: "/three", topics: ["a/#", "a/+/x", "a/b/+"], gets: (topic: string) => topic.startsWith("a/") },
];
const TOPICS = ["a/b/x", "a/b/y", "a/c/x", "a/d", "a/b/x"];

for (const kind of [embedded, mosquittoAndRedis("5"), mosquittoAndRedis("3.1.1")]) {
  describe(`overlapping filters: ${kind.name}`, kind.options, () => {
    const world = scenario(kind);
    before(async () => {
      const { bridge, receiver } = world;
      for (const { path, topics } of WEBHOOKS) await bridge.register({ url: receiver.url + path, topics });
    });

    for (const qos of [0, 1, 2] as const) {
      it(`delivers each message of QoS ${qos} once to each webhook`, async () => {
        world.receiver.calls.length = 0;
        const sent = TOPICS.map((topic, i) => ({ topic, payload: `q${qos}-${i}` }));
        for (const { topic, payload } of sent) await world.device.publishAsync(topic, payload, { qos });
        // The last message marks the end: everything sent before it has arrived.
        await world.device.publishAsync("a/end", "end", { qos });
        const wanted = WEBHOOKS.flatMap(({ path, gets }) =>
          sent.filter(({ topic }) => gets(topic)).map(({ topic, payload }) => `${path} ${topic} ${payload}`),
        );
        await world.receiver.until((calls) => calls.length >= wanted.length + 2);
        const got = world.receiver.calls
          .map(({ path, body }) => ({ path, event: JSON.parse(body.toString()) }))
          .filter(({ event }) => event.subject !== "a/end")
          .map(({ path, event }) => `${path} ${event.subject} ${event.data}`);
        assert.deepEqual(got.sort(), wanted.sort());
      });
    }
  });
}
