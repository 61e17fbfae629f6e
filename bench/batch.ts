/** HTTP → MQTT in batches: messages per second, compared with MQTT.js publishing without HTTP. */
import autocannon from "autocannon";
import { startModule } from "./support/children.ts";
import { ratioToBare, typical } from "./support/comparison.ts";
import { perSecond } from "./support/figures.ts";
import { cpuMicroseconds } from "./support/proc.ts";
import { payloadOf } from "./support/publish.ts";
import type { Context, Scenario, Stage } from "./support/scenario.ts";
import { startMosquitto, startRedis } from "./support/servers.ts";

const SIZE = 1_000;
const CONNECTIONS = 4;
const TOPIC = "bench/batch";

export const batch: Scenario = {
  name: "batch",
  title: `POST /v1/messages/batch, ${SIZE} messages of QoS 0, ${CONNECTIONS} connections, beside bare MQTT.js in a loop`,
  targets: [
    { metric: "rate", unit: "/s", atLeast: 50_000 },
    { metric: "ratio", unit: "x", atLeast: 0.8 },
  ],
  enough: "any",
  seconds: 24,
  compared: ["rate", "cpu"],
  open,
};

async function open({ startBridge, quick }: Context): Promise<Stage> {
  const [broker, redis] = await Promise.all([startMosquitto(), startRedis()]);
  const bare = startModule("bare-batch", { MQTT_URL: broker.url });
  const bridge = await startBridge({ mqttUrl: broker.url, storeUrl: redis.url });
  const duration = quick ? 2 : 3;
  const payload = payloadOf({});
  const body = { messages: Array<object>(SIZE).fill({ topic: TOPIC, payload, qos: 0 }) };
  const { results } = await bridge.api<{ results: { status: number }[] }>("POST", "/v1/messages/batch", body);
  if (results.length !== SIZE || results.some(({ status }) => status !== 200)) throw new Error("a message was refused");

  const request = { url: `${bridge.address}/v1/messages/batch`, headers: bridge.headers, body: JSON.stringify(body) };
  const throughBridge = async (seconds: number) => {
    const before = cpuMicroseconds(bridge.child.pid);
    const shot = await autocannon({ ...request, method: "POST", connections: CONNECTIONS, duration: seconds });
    if (shot.non2xx + shot.errors > 0) throw new Error(`${shot.non2xx + shot.errors} batches failed`);
    const messages = shot["2xx"] * SIZE;
    return { rate: messages / shot.duration, cpu: (cpuMicroseconds(bridge.child.pid) - before) / messages };
  };
  const inLoop = async (seconds: number) => ({
    rate: await bare.ask<number>("publish", { topic: TOPIC, payload, size: SIZE, duration: seconds }),
  });
  return {
    bridge: { warmUp: () => throughBridge(2), run: () => throughBridge(duration) },
    bare: { warmUp: () => inLoop(1), run: () => inLoop(duration) },
    summarize(rounds) {
      const rate = typical(rounds, "bridge", "rate");
      const cpu = typical(rounds, "bridge", "cpu").toFixed(1);
      return {
        measured: { rate, ratio: ratioToBare(rounds, "rate") },
        figures: {
          bridge: `${perSecond(rate)} messages, ${cpu} µs CPU each`,
          bare: `${perSecond(typical(rounds, "bare", "rate"))} messages`,
        },
      };
    },
  };
}
