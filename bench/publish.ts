/** HTTP → MQTT: requests per second and latency, compared with bare Fastify and MQTT.js. */
import autocannon from "autocannon";
import { startModule } from "./support/children.ts";
import { ratioToBare, typical } from "./support/comparison.ts";
import { ms, perSecond } from "./support/figures.ts";
import { cpuMicroseconds } from "./support/proc.ts";
import { payloadOf } from "./support/publish.ts";
import type { Context, Round, Scenario, Side, Stage } from "./support/scenario.ts";
import { startMosquitto, startRedis } from "./support/servers.ts";

const CONNECTIONS = 32;
const FILTERS = 10;
const WARM_UP_SECONDS = 2;

/** Readable figures of one side: `cpu` is the server's CPU time per request, in microseconds. */
function written(rounds: Round[], side: keyof Round): string {
  const of = (key: string) => typical(rounds, side, key);
  return `${perSecond(of("rate"))}, p50 ${ms(of("p50"))}, p99 ${ms(of("p99"))}, ${Math.round(of("cpu"))} µs CPU each`;
}

/** `POST /v1/messages` at one QoS, alternating between the bridge and the bare program. */
export function publishScenario(qos: 0 | 1): Scenario {
  return {
    name: `publish-qos${qos}`,
    title: `POST /v1/messages, QoS ${qos}, ${CONNECTIONS} connections, beside bare Fastify + MQTT.js`,
    targets: [{ metric: "ratio", unit: "x", atLeast: 0.8 }],
    seconds: 24,
    compared: ["rate", "cpu"],
    async open(context) {
      const { broker, bridge, duration } = await start(context);
      const bare = startModule("bare-publish", { MQTT_URL: broker.url });
      const bareAddress = await bare.ask<string>("address");
      const body = JSON.stringify({ topic: "bench/publish", payload: payloadOf({}), qos });
      const headers = { "content-type": "application/json" };
      return {
        bridge: shooting({
          pid: bridge.child.pid,
          url: `${bridge.address}/v1/messages`,
          headers: bridge.headers,
          body,
          duration,
        }),
        bare: shooting({ pid: bare.pid, url: `${bareAddress}/v1/messages`, headers, body, duration }),
        summarize: (rounds) => ({
          measured: { ratio: ratioToBare(rounds, "rate") },
          figures: { bridge: written(rounds, "bridge"), bare: written(rounds, "bare") },
        }),
      };
    },
  };
}

export const publishTopics: Scenario = {
  name: "publish-topics",
  title: `POST /v1/topics/…, QoS 0 and 1, ${CONNECTIONS} connections`,
  targets: [],
  seconds: 14,
  compared: ["QoS 0 rate", "QoS 1 rate"],
  async open(context) {
    const { bridge, duration } = await start(context);
    const headers = { ...bridge.headers, "content-type": "text/plain" };
    const url = (qos: number) => `${bridge.address}/v1/topics/bench/publish/topics?qos=${qos}`;
    const shot = (qos: number, seconds: number) =>
      shoot({ pid: bridge.child.pid, url: url(qos), headers, body: payloadOf({}), duration: seconds });
    return {
      bridge: {
        warmUp: () => shot(0, 1),
        async run() {
          const sample: Record<string, number> = {};
          for (const qos of [0, 1]) {
            const { rate, p99 } = await shot(qos, duration);
            Object.assign(sample, { [`QoS ${qos} rate`]: rate, [`QoS ${qos} p99`]: p99 });
          }
          return sample;
        },
      },
      summarize(rounds) {
        const of = (key: string) => typical(rounds, "bridge", key);
        const entries = [0, 1].map((qos) => [
          `QoS ${qos}`,
          `${perSecond(of(`QoS ${qos} rate`))}, p99 ${ms(of(`QoS ${qos} p99`))}`,
        ]);
        return { measured: {}, figures: Object.fromEntries(entries) };
      },
    };
  },
};

/** Cost of a key with filters and a rate limit, compared with the first key: same publish, same bridge. */
export const publishAcl: Scenario = {
  name: "publish-acl",
  title: `POST /v1/messages, QoS 0, with a key of ${FILTERS} filters and a rate limit, beside the first key`,
  targets: [{ metric: "cost", unit: "x", atMost: 0.1 }],
  seconds: 24,
  compared: ["rate", "cpu"],
  async open(context): Promise<Stage> {
    const { bridge, duration } = await start(context);
    // Only the last filter matches, and the rate limit is never reached.
    const publish = Array.from({ length: FILTERS }, (_, i) => (i < FILTERS - 1 ? `bench/+/${i}` : "bench/+"));
    const input = { name: "bench", scopes: ["publish"], publish, rateLimit: { max: 1_000_000, perSeconds: 1 } };
    const { key } = await bridge.api<{ key: string }>("POST", "/v1/keys", input);
    const body = JSON.stringify({ topic: "bench/publish", payload: payloadOf({}), qos: 0 });
    const url = `${bridge.address}/v1/messages`;
    const first = { pid: bridge.child.pid, url, headers: bridge.headers, body, duration };
    return {
      bridge: shooting({ ...first, headers: { ...first.headers, authorization: `Bearer ${key}` } }),
      bare: shooting(first),
      summarize: (rounds) => ({
        measured: { cost: 1 - ratioToBare(rounds, "rate") },
        figures: { limited: written(rounds, "bridge"), first: written(rounds, "bare") },
      }),
    };
  },
};

async function start({ startBridge, quick }: Context) {
  const [broker, redis] = await Promise.all([startMosquitto(), startRedis()]);
  const bridge = await startBridge({ mqttUrl: broker.url, storeUrl: redis.url });
  return { broker, bridge, duration: quick ? 2 : 3 };
}

interface Shooting {
  pid: number;
  url: string;
  headers: Record<string, string>;
  body: string;
  /** Seconds. */
  duration: number;
}

function shooting(request: Shooting): Side {
  return { warmUp: () => shoot({ ...request, duration: WARM_UP_SECONDS }), run: () => shoot(request) };
}

async function shoot({ pid, ...request }: Shooting) {
  const before = cpuMicroseconds(pid);
  const {
    duration,
    latency,
    non2xx,
    errors,
    "2xx": good,
  } = await autocannon({
    ...request,
    method: "POST",
    connections: CONNECTIONS,
  });
  if (non2xx + errors > 0) throw new Error(`${non2xx + errors} requests to ${request.url} failed`);
  return { rate: good / duration, cpu: (cpuMicroseconds(pid) - before) / good, p50: latency.p50, p99: latency.p99 };
}
