/** Device → webhook. */
import { type Device, type Scenario, within } from "../world.ts";

export const uplink: Scenario[] = [
  ...([0, 1, 2] as const).map(
    (qos): Scenario => ({
      title: `Device publishes with QoS ${qos}, a webhook gets it`,
      async run(world) {
        const topic = `up/${qos}`;
        const webhook = await world.webhook([topic], { qos: 2 });
        const device = await world.device();
        const completed = device.client.publishAsync(topic, "it", { qos });
        completed.catch(() => undefined); // it may end with the device
        if (!(await completes(device, topic, completed))) return neverCompleted(await webhook.untilAll("after"));
        const event = (await webhook.untilAll("it", "after")).filter(({ data }) => data === "it");
        if (event.length > 1) return `${event.length} times`;
        return event[0]!.mqttqos === qos ? "yes" : `yes, as QoS ${event[0]!.mqttqos}`;
      },
    }),
  ),
  {
    title: "Wildcards `+` and `#`, empty levels",
    async run(world) {
      const filters = ["wild/+/x", "wild/#", "wild/a/+", "+/a/x"];
      const webhooks = await all(filters, (filter) => world.webhook([filter]));
      const topics = ["wild", "wild/a", "wild/a/x", "wild//x", "wild/b/x", "wild/a/", "wild/a/x/y", "other/a/x"];
      const wanted: Record<string, string[]> = {
        "wild/+/x": ["wild/a/x", "wild//x", "wild/b/x"],
        "wild/#": topics.slice(0, 7),
        "wild/a/+": ["wild/a/x", "wild/a/"],
        "+/a/x": ["wild/a/x", "other/a/x"],
      };
      const device = await world.device();
      for (const topic of [...topics]) await device.client.publishAsync(topic, topic, { qos: 1 });
      // All filters match the last message: once it has arrived, all earlier ones have.
      const wrong: string[] = [];
      await device.client.publishAsync("wild/a/x", "end", { qos: 1 });
      for (const [i, filter] of filters.entries()) {
        const events = await webhooks[i]!.untilAll("end");
        const got = events.filter(({ data }) => data !== "end").map(({ subject }) => subject);
        const missed = wanted[filter]!.filter((topic) => !got.includes(topic));
        const surplus = got.filter((topic) => !wanted[filter]!.includes(topic));
        if (missed.length > 0) wrong.push(`\`${filter}\` misses ${names(missed)}`);
        if (surplus.length > 0) wrong.push(`\`${filter}\` also gets ${names(surplus)}`);
      }
      return wrong.join("; ") || "yes";
    },
  },
  {
    title: "Topics with dots, spaces, letters beyond ASCII",
    async run(world) {
      const topics = ["odd/a.b", "odd/a b", "odd/é/日本", "odd/a*b>c"];
      const webhook = await world.webhook(["odd/#"]);
      const device = await world.device();
      for (const topic of topics) await device.client.publishAsync(topic, topic, { qos: 1 });
      await device.client.publishAsync("odd/end", "end", { qos: 1 });
      const events = await webhook.untilAll("end");
      const wrong = topics.flatMap((topic) => {
        const event = events.find(({ data }) => data === topic);
        if (event?.subject === topic) return [];
        return [event ? `\`${topic}\` comes as \`${event.subject}\`` : `\`${topic}\` does not come`];
      });
      return wrong.join("; ") || "yes";
    },
  },
  {
    title: "Filters that overlap: each webhook gets a message once",
    async run(world) {
      const filters = [["lap/#"], ["lap/+/x"], ["lap/b/+"], ["lap/#", "lap/+/x", "lap/b/+"]];
      const webhooks = await all(filters, (topics) => world.webhook(topics));
      const device = await world.device();
      const payloads = Array.from({ length: 20 }, (_, i) => `m${i}`);
      for (const payload of payloads) await device.client.publishAsync("lap/b/x", payload, { qos: 1 });
      await device.client.publishAsync("lap/b/x", "end", { qos: 1 });
      const counts = new Set<number>();
      for (const webhook of webhooks) {
        const events = await webhook.untilAll(...payloads, "end");
        for (const payload of payloads) counts.add(events.filter(({ data }) => data === payload).length);
      }
      return counts.size === 1 && counts.has(1) ? "yes" : `${[...counts].sort().join(" or ")} times`;
    },
  },
  {
    title: "The last will of a device reaches a webhook",
    async run(world) {
      const webhook = await world.webhook(["will/+"]);
      const device = await world.device({
        will: { topic: "will/device", payload: Buffer.from("gone"), qos: 1, retain: false },
      });
      device.vanish();
      await webhook.untilAll("gone");
      return "yes";
    },
  },
];

/** Whether the publish completes before a later one with QoS 1, or within a grace period after it. */
async function completes({ client }: Device, topic: string, completed: Promise<unknown>): Promise<boolean> {
  await client.publishAsync(topic, "after", { qos: 1 });
  return (await within(2_000, completed)) !== undefined;
}

function neverCompleted(events: { data: unknown }[]): string {
  const came = events.some(({ data }) => data === "it");
  return `the broker never completes the device's publish; the webhook gets ${came ? "it all the same" : "nothing"}`;
}

function names(topics: string[]): string {
  return topics.map((topic) => `\`${topic}\``).join(", ");
}

/** Runs one after the other, because registering waits for the subscription. */
async function all<T, U>(items: T[], each: (item: T) => Promise<U>): Promise<U[]> {
  const results: U[] = [];
  for (const item of items) results.push(await each(item));
  return results;
}
