/** HTTP → MQTT: requests a second and their latency, beside Fastify and MQTT.js alone. */
import autocannon from "autocannon";
import type { Bridge } from "./support/bridge.ts";
import { type Asked, startModule } from "./support/children.ts";
import { median, medianRatio, ms, perSecond } from "./support/figures.ts";
import { cpuMicroseconds } from "./support/proc.ts";
import { payloadOf } from "./support/publish.ts";
import type { Context, Outcome, Scenario } from "./support/scenario.ts";
import { startMosquitto, startRedis } from "./support/servers.ts";

const CONNECTIONS = 32;
const FILTERS = 10;

interface Shot {
  rate: number;
  /** CPU time of the server for a request, in microseconds. */
  cpu: number;
  p50: number;
  p99: number;
}

/** `POST /v1/messages` at one QoS, the bridge and the bare program in turn. */
export function publishScenario(qos: 0 | 1): Scenario {
  return {
    name: `publish-qos${qos}`,
    title: `POST /v1/messages, QoS ${qos}, ${CONNECTIONS} connections, beside bare Fastify + MQTT.js`,
    targets: [{ metric: "ratio", unit: "x", atLeast: 0.8 }],
    maxSeconds: 90,
    run: (context) => alternate(context, qos),
  };
}

export const publishTopics: Scenario = {
  name: "publish-topics",
  title: `POST /v1/topics/…, QoS 0 and 1, ${CONNECTIONS} connections`,
  targets: [],
  maxSeconds: 60,
  async run(context) {
    const { bridge, duration } = await stage(context);
    const headers = { ...bridge.headers, "content-type": "text/plain" };
    const outcome: Outcome = { measured: {}, figures: {}, rounds: [] };
    for (const qos of [0, 1]) {
      const url = `${bridge.address}/v1/topics/bench/publish/topics?qos=${qos}`;
      const { rate, p50, p99 } = await shoot({ pid: bridge.child.pid, url, headers, body: payloadOf({}), duration });
      outcome.rounds.push({ qos, rate, p50, p99 });
      outcome.figures[`QoS ${qos}`] = `${perSecond(rate)}, p99 ${ms(p99)}`;
    }
    return outcome;
  },
};

/** What a key with filters and a rate limit costs, beside the first key: the same publish on the same bridge. */
export const publishAcl: Scenario = {
  name: "publish-acl",
  title: `POST /v1/messages, QoS 0, with a key of ${FILTERS} filters and a rate limit, beside the first key`,
  targets: [{ metric: "cost", unit: "x", atMost: 0.1 }],
  maxSeconds: 90,
  async run(context) {
    const { bridge, duration } = await stage(context);
    // The last filter is the one that matches, and the limit is never reached.
    const publish = Array.from({ length: FILTERS }, (_, i) => (i < FILTERS - 1 ? `bench/+/${i}` : "bench/+"));
    const input = { name: "bench", scopes: ["publish"], publish, rateLimit: { max: 1_000_000, perSeconds: 1 } };
    const { key } = await bridge.api<{ key: string }>("POST", "/v1/keys", input);
    const body = JSON.stringify({ topic: "bench/publish", payload: payloadOf({}), qos: 0 });
    const side = { pid: bridge.child.pid, url: `${bridge.address}/v1/messages`, headers: bridge.headers, body };
    const sides = { first: side, limited: { ...side, headers: { ...side.headers, authorization: `Bearer ${key}` } } };
    for (const one of [sides.first, sides.limited]) await shoot({ ...one, duration: 2 });

    const shots: { first: Shot; limited: Shot }[] = [];
    for (let round = 1; round <= context.rounds; round++) {
      const limited = () => shoot({ ...sides.limited, duration });
      // Each goes first in every other round: the second one meets a process that has just been busy.
      const early = round % 2 === 1 ? await limited() : undefined;
      const one = { first: await shoot({ ...sides.first, duration }), limited: early ?? (await limited()) };
      shots.push(one);
      context.progress(`round ${round}: limited ${perSecond(one.limited.rate)}, first ${perSecond(one.first.rate)}`);
    }
    const ratios = shots.map(({ first, limited }) => ({ bridge: limited.rate, bare: first.rate }));
    return {
      measured: { cost: 1 - medianRatio(ratios) },
      figures: { limited: written(shots.map((shot) => shot.limited)), first: written(shots.map((shot) => shot.first)) },
      rounds: shots.map(({ first, limited }) => ({ ...prefixed("limited", limited), ...prefixed("first", first) })),
    };
  },
};

async function alternate(context: Context, qos: 0 | 1): Promise<Outcome> {
  const { bridge, bare, duration } = await stage(context);
  const bareAddress = await bare.ask<string>("address");
  const body = JSON.stringify({ topic: "bench/publish", payload: payloadOf({}), qos });
  const sides = {
    bridge: { pid: bridge.child.pid, url: `${bridge.address}/v1/messages`, headers: bridge.headers, body },
    bare: { pid: bare.pid, url: `${bareAddress}/v1/messages`, headers: { "content-type": "application/json" }, body },
  };
  for (const side of [sides.bare, sides.bridge]) await shoot({ ...side, duration: 2 });

  const shots: { bridge: Shot; bare: Shot }[] = [];
  for (let round = 1; round <= context.rounds; round++) {
    const one = { bare: await shoot({ ...sides.bare, duration }), bridge: await shoot({ ...sides.bridge, duration }) };
    shots.push(one);
    context.progress(`round ${round}: bridge ${perSecond(one.bridge.rate)}, bare ${perSecond(one.bare.rate)}`);
  }
  return {
    measured: { ratio: medianRatio(shots.map((shot) => ({ bridge: shot.bridge.rate, bare: shot.bare.rate }))) },
    figures: { bridge: written(shots.map((shot) => shot.bridge)), bare: written(shots.map((shot) => shot.bare)) },
    rounds: shots.map(({ bridge: mine, bare: theirs }) => ({
      ...prefixed("bridge", mine),
      ...prefixed("bare", theirs),
    })),
  };
}

function written(shots: Shot[]): string {
  const of = (key: keyof Shot) => median(shots.map((shot) => shot[key]));
  return `${perSecond(of("rate"))}, p50 ${ms(of("p50"))}, p99 ${ms(of("p99"))}, ${Math.round(of("cpu"))} µs CPU each`;
}

/** `{rate}` → `{"bridge rate"}`, so that a round is one flat record. */
function prefixed(side: string, shot: Shot): Record<string, number> {
  return Object.fromEntries(Object.entries(shot).map(([key, value]) => [`${side} ${key}`, value]));
}

async function stage({ startBridge, quick }: Context): Promise<{ bridge: Bridge; bare: Asked; duration: number }> {
  const [broker, redis] = await Promise.all([startMosquitto(), startRedis()]);
  const bare = startModule("bare-publish", { MQTT_URL: broker.url });
  const bridge = await startBridge({ mqttUrl: broker.url, storeUrl: redis.url });
  return { bridge, bare, duration: quick ? 2 : 3 };
}

interface Shooting {
  pid: number;
  url: string;
  headers: Record<string, string>;
  body: string;
  /** Seconds. */
  duration: number;
}

async function shoot({ pid, ...request }: Shooting): Promise<Shot> {
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
