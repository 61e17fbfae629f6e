/**
 * MQTT → queue: QoS 1 PUBLISH → durable job → PUBACK, compared with an MQTT.js session that awaits BullMQ per message.
 *
 * SIGSTOP holds the receiver while the messages are published, so that the publisher does not compete with it for CPU.
 * The backlog far exceeds the Receive Maximum: all messages but the last ones arrive only because the receiver sent
 * PUBACKs.
 */
import { Queue } from "bullmq";
import { RECEIVE_MAXIMUM } from "../src/mqtt/client/connection-options.ts";
import { queueName } from "../src/uplink/queue/job.ts";
import { type Child, startModule } from "./support/children.ts";
import { ratioToBare, typical } from "./support/comparison.ts";
import { perSecond } from "./support/figures.ts";
import { connectDevice, type Device } from "./support/publish.ts";
import type { Context, Scenario, Stage } from "./support/scenario.ts";
import { startMosquitto, startRedis } from "./support/servers.ts";
import { untilAtLeast } from "./support/wait.ts";

const BARE_TOPIC = "bench/intake/bare";
const BRIDGE_TOPIC = "bench/intake/bridge";

export const intake: Scenario = {
  name: "intake",
  title: "QoS 1 PUBLISH → durable in the queue → PUBACK, beside MQTT.js awaiting BullMQ add for each",
  targets: [{ metric: "ratio", unit: "x", atLeast: 3 }],
  seconds: 34,
  compared: ["rate"],
  open,
};

interface Side {
  child: Child;
  queue: Queue;
  topic: string;
  messages: number;
}

async function open(context: Context): Promise<Stage> {
  const [broker, redis] = await Promise.all([startMosquitto(), startRedis()]);
  const bareChild = startModule("bare-intake", {
    MQTT_URL: broker.url,
    REDIS_URL: redis.url,
    QUEUE: "bare-intake",
    TOPIC: BARE_TOPIC,
    RECEIVE_MAXIMUM: String(RECEIVE_MAXIMUM),
  });
  await bareChild.ask("ready");
  const bridge = await context.startBridge({ mqttUrl: broker.url, storeUrl: redis.url });
  // Disabled: messages collect, and no delivery runs during the intake.
  const webhook = await bridge.api<{ id: string }>("POST", "/v1/webhooks", {
    url: "http://127.0.0.1:9/never-called",
    topics: [BRIDGE_TOPIC],
    enabled: false,
  });

  const { hostname, port } = new URL(redis.url);
  const queueOf = (name: string, prefix: string) => {
    const queue = new Queue(name, { prefix, connection: { host: hostname, port: Number(port) } });
    context.onEnd(() => queue.close());
    return queue;
  };
  const sizes = context.quick ? { bridge: 10_000, bare: 3_000 } : { bridge: 30_000, bare: 8_000 };
  const sides: Record<"bridge" | "bare", Side> = {
    bare: { child: bareChild, queue: queueOf("bare-intake", "bull"), topic: BARE_TOPIC, messages: sizes.bare },
    bridge: {
      child: bridge.child,
      queue: queueOf(queueName(webhook.id), "causeway:q"),
      topic: BRIDGE_TOPIC,
      messages: sizes.bridge,
    },
  };
  const device = await connectDevice(broker.url);
  context.onEnd(() => device.close());
  await subscribed(device, sides.bridge);
  const draining = (side: Side) => ({
    warmUp: () => drain(device, { ...side, messages: side.messages / 2 }),
    run: async () => ({ rate: await drain(device, side) }),
  });
  return {
    bridge: draining(sides.bridge),
    bare: draining(sides.bare),
    summarize: (rounds) => ({
      measured: { ratio: ratioToBare(rounds, "rate") },
      figures: {
        bridge: perSecond(typical(rounds, "bridge", "rate")),
        bare: perSecond(typical(rounds, "bare", "rate")),
      },
    }),
  };
}

/** Waits for the subscription, which follows the registration: the first message that arrives proves it. */
async function subscribed(device: Device, { queue, topic }: Side): Promise<void> {
  const read = async () => {
    await device.flood(topic, 1);
    return queue.getWaitingCount();
  };
  await untilAtLeast(1, { read, timeoutMs: 10_000, everyMs: 50 });
}

/** Messages per second from resuming the receiver to the last job in the queue. */
async function drain(device: Device, { child, queue, topic, messages }: Side): Promise<number> {
  const before = await queue.getWaitingCount();
  child.process.kill("SIGSTOP");
  await device.flood(topic, messages);
  const startedAt = performance.now();
  child.process.kill("SIGCONT");
  await untilAtLeast(before + messages, { read: () => queue.getWaitingCount(), timeoutMs: 30_000 });
  return messages / ((performance.now() - startedAt) / 1_000);
}
