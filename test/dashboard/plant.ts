/** A bridge with life on it: devices that publish, receivers that accept, fail and hang, for pages and screenshots. */
import { connectAsync } from "mqtt";
import { startTestBridge, type TestBridge } from "../support/bridge.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";

export interface Plant {
  readonly bridge: TestBridge;
  readonly receiver: Receiver;
  /** Ids of the webhooks by name. */
  readonly webhooks: Record<string, string>;
  /** Publishes one reading of every device. */
  publish(): Promise<void>;
  /** Publishes a reading of every device at this interval until the plant is stopped. */
  run(everyMs: number): void;
  stop(): Promise<void>;
}

const DEVICES = ["greenhouse/north", "greenhouse/south", "pump/1", "meter/main"];

/** @param env more settings of the bridge */
export async function startPlant(env: Record<string, string> = {}): Promise<Plant> {
  const [bridge, receiver] = await Promise.all([startTestBridge(env), startReceiver()]);
  receiver.answer = ({ path }) => {
    if (path === "/analytics") return { status: 503, headers: { "content-type": "text/plain" }, body: "maintenance" };
    return path === "/archive" ? { status: 400, body: "unknown field" } : 204;
  };
  const define = async (webhook: { name: string; topics: string[] } & Record<string, unknown>) =>
    [webhook.name, (await bridge.register(webhook)).id] as const;
  const url = (path: string) => receiver.url + path;
  const webhooks = Object.fromEntries([
    await define({ name: "Greenhouse readings", url: url("/greenhouse"), topics: ["greenhouse/+/telemetry"] }),
    await define({ name: "Pump alarms", url: url("/alarms"), topics: ["pump/#"], filter: "data.pressure > 3" }),
    await define({ name: "Analytics", url: url("/analytics"), topics: ["#"] }),
    await define({ name: "Archive", url: url("/archive"), topics: ["meter/#"], retry: { scheduleSeconds: [1] } }),
    await define({ name: "Billing", url: url("/billing"), topics: ["meter/main/telemetry"], enabled: false }),
  ]);
  const device = await connectAsync(`mqtt://127.0.0.1:${bridge.brokerPort}`);
  let turn = 0;
  const publish = async () => {
    turn++;
    await Promise.all(
      DEVICES.map((name, i) => {
        const wave = Math.sin(turn / 5 + i);
        const payload = `{"temperature":${(21.5 + wave).toFixed(2)},"pressure":${(3 + wave).toFixed(3)},"seq":${turn}}`;
        return device.publishAsync(`${name}/telemetry`, payload, { qos: 1 });
      }),
    );
  };
  await device.publishAsync("greenhouse/north/config", '{"interval":30}', { qos: 1, retain: true });
  let timer: NodeJS.Timeout | undefined;
  return {
    bridge,
    receiver,
    webhooks,
    publish,
    run(everyMs) {
      timer = setInterval(() => void publish().catch(() => undefined), everyMs);
    },
    async stop() {
      clearInterval(timer);
      await device.endAsync(true);
      await bridge.stop();
      await receiver.close();
    },
  };
}
