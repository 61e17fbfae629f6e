/** Outages of the bridge or the broker. Each scenario ends with everything up again. */
import type { Device, Scenario, World } from "../world.ts";

const MESSAGES = 40;
const PART_OF_THE_BRIDGE = "the broker ends with the bridge";

export const faults: Scenario[] = [
  {
    title: "Messages published while the bridge is stopped come after its start",
    run: (world) => away(world, "stop"),
  },
  {
    title: "The same with `kill -9` of the bridge amid messages",
    run: (world) => away(world, "kill"),
  },
  {
    title: "The broker is restarted: the bridge connects and subscribes again",
    async run(world) {
      const { broker } = world;
      if (!broker) return PART_OF_THE_BRIDGE;
      const webhook = await world.webhook(["fault/restart/+"]);
      await world.readyAgain(() => broker.restart());
      const device = await world.device();
      await device.client.publishAsync("fault/restart/up", "up", { qos: 1 });
      await webhook.untilAll("up");
      await device.subscribe("fault/down");
      const { body } = await world.bridge.api("POST", "/v1/messages", { topic: "fault/down", payload: "down" });
      if (body.outcome !== "acknowledged") return `publishing answers \`${body.status} ${body.code}\``;
      await device.got("down");
      return "yes";
    },
  },
];

/** A device publishes with QoS 1: a third before the bridge ends, a third during that, and a third while it is away. */
async function away(world: World, how: "stop" | "kill"): Promise<string> {
  if (!world.broker) return PART_OF_THE_BRIDGE;
  const webhook = await world.webhook([`fault/${how}/#`]);
  const device = await world.device();
  const payloads = Array.from({ length: MESSAGES }, (_, i) => `${how} ${i}`);
  const before = Math.floor(MESSAGES / 3);
  await publish(device, `fault/${how}/x`, payloads.slice(0, before));
  const ended = world.bridge[how]();
  await publish(device, `fault/${how}/x`, payloads.slice(before, 2 * before));
  await ended;
  await publish(device, `fault/${how}/x`, payloads.slice(2 * before));
  await world.bridge.start();
  await world.ready();
  await webhook.untilAll(...payloads);
  return "yes";
}

/** Resolves when the broker has acknowledged the messages. */
async function publish({ client }: Device, topic: string, payloads: string[]): Promise<void> {
  await Promise.all(payloads.map((payload) => client.publishAsync(topic, payload, { qos: 1 })));
}
