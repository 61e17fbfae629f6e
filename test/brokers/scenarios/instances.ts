/** Two bridges on one store; the receiving one is killed. */
import type { TestBridge } from "../../support/bridge.ts";
import { type Device, type Event, type Scenario, type World, within } from "../world.ts";

const TOPIC = "two";
const BATCH = 10;
const IN_FLIGHT = 60;
const COMPLETED_MS = 2_000;
/** Limit from the kill until a message published after it reaches the webhook. */
const TAKE_OVER_SECONDS = 10;

export const instances: Scenario[] = [
  {
    title: "Two instances, `kill -9` of the one that receives: the other one takes over within 10 s",
    async run(world, note) {
      if (!world.broker) return "one process has the broker and the store";
      const other = await world.anotherBridge();
      try {
        return await takeOver(world, other, note);
      } finally {
        await other.stop();
        await world.bridge.start();
        await world.ready();
      }
    },
  },
];

async function takeOver(world: World, other: TestBridge, note: (measured: string) => void): Promise<string> {
  const webhook = await world.webhook([`${TOPIC}/+`], { qos: 2 });
  webhook.asked = other;
  const device = await world.device();

  const before = publish(device, "before", BATCH);
  const completed = (await within(COMPLETED_MS, before.completed)) !== undefined;
  const first = await webhook.untilAll(...before.payloads);
  const hasQos2 = completed && first.some(({ mqttqos }) => mqttqos === 2);

  const amid = publish(device, "amid", IN_FLIGHT);
  await webhook.untilOne(amid.payloads);
  await world.bridge.kill();
  const killedAt = performance.now();
  const after = publish(device, "after", BATCH);
  await webhook.untilOne(after.payloads);
  const seconds = (performance.now() - killedAt) / 1_000;
  const later = publish(device, "later", BATCH);

  const events = await webhook.untilAll(...[before, amid, after, later].flatMap(({ payloads }) => payloads));
  const { newMessages, callsAgain } = findRepeated(events);
  note(
    `another instance delivers ${seconds.toFixed(1)} s after the kill; of ${IN_FLIGHT} messages amid it ` +
      `${newMessages.length} came again with a new webhook-id, ${callsAgain} calls were made again`,
  );
  if (seconds > TAKE_OVER_SECONDS) return `after ${seconds.toFixed(1)} s`;
  const quiet = newMessages.filter(({ data }) => !amid.payloads.includes(data as string));
  if (quiet.length > 0) return `${quiet.length} messages come twice that were not on their way at the kill`;
  if (!hasQos2) return "yes, with QoS 2 like QoS 1";
  const exactly = newMessages.filter(({ mqttqos }) => mqttqos === 2);
  return exactly.length > 0 ? `${exactly.length} messages with QoS 2 come twice` : "yes";
}

interface Published {
  payloads: string[];
  /** Resolves when the broker has completed all publishes. */
  completed: Promise<unknown>;
}

/** Every fifth has QoS 2: Mosca never completes those, and brokers need not accept more than 20 at once (Mosquitto). */
function publish({ client }: Device, name: string, count: number): Published {
  const payloads = Array.from({ length: count }, (_, i) => `${name} ${i}`);
  const completed = Promise.all(
    payloads.map((payload, i) => client.publishAsync(`${TOPIC}/${name}`, payload, { qos: i % 5 === 4 ? 2 : 1 })),
  );
  completed.catch(() => undefined); // open publishes end with the device
  return { payloads, completed };
}

/** @returns repeated events: a different id means a new message, the same id a repeated call */
function findRepeated(events: Event[]): { newMessages: Event[]; callsAgain: number } {
  const byId = new Map(events.map((event) => [event.id, event]));
  const first = new Map<unknown, Event>();
  const newMessages = [...byId.values()].filter((event) => {
    if (first.has(event.data)) return true;
    first.set(event.data, event);
    return false;
  });
  return { newMessages, callsAgain: events.length - byId.size };
}
