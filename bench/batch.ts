/** HTTP → MQTT in batches: messages a second, beside MQTT.js publishing without HTTP at all. */
import autocannon from "autocannon";
import { startModule } from "./support/children.ts";
import { median, medianRatio, perSecond } from "./support/figures.ts";
import { cpuMicroseconds } from "./support/proc.ts";
import { payloadOf } from "./support/publish.ts";
import type { Context, Outcome, Scenario } from "./support/scenario.ts";
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
  maxSeconds: 90,
  run: measure,
};

async function measure({ startBridge, rounds, quick, progress }: Context): Promise<Outcome> {
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
  const inLoop = (seconds: number) =>
    bare.ask<number>("publish", { topic: TOPIC, payload, size: SIZE, duration: seconds });

  await inLoop(1);
  await throughBridge(2);
  const shots: { bridge: number; bare: number; cpu: number }[] = [];
  for (let round = 1; round <= rounds; round++) {
    const theirs = await inLoop(duration);
    const { rate, cpu } = await throughBridge(duration);
    shots.push({ bridge: rate, bare: theirs, cpu });
    progress(`round ${round}: bridge ${perSecond(rate)}, bare ${perSecond(theirs)}`);
  }
  const of = (key: "bridge" | "bare" | "cpu") => median(shots.map((shot) => shot[key]));
  return {
    measured: { rate: of("bridge"), ratio: medianRatio(shots) },
    figures: {
      bridge: `${perSecond(of("bridge"))} messages, ${of("cpu").toFixed(1)} µs CPU each`,
      bare: `${perSecond(of("bare"))} messages`,
    },
    rounds: shots,
  };
}
