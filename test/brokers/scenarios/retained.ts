/** Retained messages: written, read, listed and delivered to new webhooks. */
import type { Scenario, World } from "../world.ts";

export const retained: Scenario[] = [
  {
    title: "`PUT` and `GET /v1/topics/{topic}` (retained), `DELETE` clears it",
    async run({ bridge }) {
      const path = "/v1/topics/kept/one/state";
      const before = await bridge.api("GET", path);
      if (before.status !== 404) return `before: ${before.status}`;
      const put = await bridge.api("PUT", path, "on", { "content-type": "text/plain" });
      if (put.status !== 200) return `\`${put.status} ${put.body.code}\``;
      const read = await bridge.api("GET", path);
      if (read.bytes.toString() !== "on") return `reading answers \`${read.status} ${read.body?.code}\``;
      await bridge.api("DELETE", path);
      const after = await bridge.api("GET", path);
      return after.status === 404 ? "yes" : `after clearing it: ${after.status}`;
    },
  },
  {
    title: "`GET /v1/topics?filter=` lists retained topics",
    async run(world) {
      const topics = await retain(world, "list");
      const found = await world.bridge.api("GET", `/v1/topics?filter=${encodeURIComponent("list/#")}`);
      if (found.status !== 200) return `\`${found.status} ${found.body.code}\``;
      const listed = found.body.items.map(({ topic }: { topic: string }) => topic);
      if (listed.join() === topics.join()) return "yes";
      if (listed.length > 0) return `lists ${listed.join()}`;
      const exact = await world.bridge.api("GET", `/v1/topics?filter=${encodeURIComponent(topics[0]!)}`);
      return exact.body.items.length === 1 ? "an empty list with wildcards; exact topics only" : "an empty list";
    },
  },
  {
    title: '`retained: "deliver"` on a topic',
    run: (world) => snapshot(world, "exact", "exact/a"),
  },
  {
    title: '`retained: "deliver"` on a filter with wildcards',
    run: (world) => snapshot(world, "some", "some/+"),
  },
];

/** Retains three messages. @returns the topics in order */
async function retain({ bridge }: World, prefix: string): Promise<string[]> {
  const topics = ["a", "b", "c"].map((name) => `${prefix}/${name}`);
  for (const topic of topics) {
    const { status, body } = await bridge.api("PUT", `/v1/topics/${topic}?qos=1`, topic);
    if (status !== 200) throw new Error(`retaining ${topic} answers ${status} ${body?.code}`);
  }
  return topics;
}

/** Compares the retained messages that a new webhook gets with those that its filter matches: one or three topics. */
async function snapshot(world: World, prefix: string, filter: string): Promise<string> {
  const topics = await retain(world, prefix);
  const wanted = filter.includes("+") ? topics : topics.slice(0, 1);
  const webhook = await world.webhook([filter], { retained: "deliver" });
  const [line] = await world.bridge.waitForOutput(new RegExp(`.*"${webhook.id}".*"retained_delivered".*`));
  const { topics: found } = JSON.parse(line) as { topics: number };
  if (found === 0) return "nothing comes";
  const events = await webhook.untilAll(...wanted);
  const right = events.length === wanted.length && events.every(({ mqttretain }) => mqttretain);
  return right ? "yes" : `${events.length} of ${wanted.length}, some without \`mqttretain\``;
}
