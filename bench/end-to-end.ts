/**
 * MQTT → queue → webhook, all at once: publisher, broker, intake, queue, worker, signed call. Beside a BullMQ worker
 * that posts jobs which wait in its queue already, unsigned.
 */
import { startModule } from "./support/children.ts";
import { median, medianRatio, perSecond } from "./support/figures.ts";
import { cpuMicroseconds } from "./support/proc.ts";
import { connectDevice, payloadOf } from "./support/publish.ts";
import type { Context, Outcome, Scenario } from "./support/scenario.ts";
import { startMosquitto, startRedis } from "./support/servers.ts";
import { readSink, type Sink, startSink, untilSubscribed } from "./support/sink.ts";
import { untilAtLeast } from "./support/wait.ts";

const TOPIC = "bench/deliver";
const CONCURRENCY = 50;

export const endToEnd: Scenario = {
  name: "end-to-end",
  title: `PUBLISH → signed webhook, sustained, beside a bare BullMQ worker + undici (concurrency ${CONCURRENCY} both)`,
  targets: [{ metric: "ratio", unit: "x", atLeast: 0.5 }],
  maxSeconds: 150,
  run: measure,
};

async function measure(context: Context): Promise<Outcome> {
  const [broker, redis, sink] = await Promise.all([startMosquitto(), startRedis(), startSink()]);
  const bare = startModule("bare-deliver", {
    REDIS_URL: redis.url,
    SINK_URL: sink.url,
    CONCURRENCY: String(CONCURRENCY),
  });
  const bridge = await context.startBridge({ mqttUrl: broker.url, storeUrl: redis.url });
  await bridge.api("POST", "/v1/webhooks", { url: sink.url, topics: [TOPIC], concurrency: CONCURRENCY });
  const device = await connectDevice(broker.url);
  const messages = context.quick ? 6_000 : 20_000;

  const throughBridge = async (count: number) => {
    await sink.child.ask("reset");
    const startedAt = Date.now();
    const used = cpuMicroseconds(bridge.child.pid);
    await device.flood(TOPIC, count);
    const found = await rateOf(sink, count, startedAt);
    return { rate: found.perSecond, cpu: (cpuMicroseconds(bridge.child.pid) - used) / count };
  };
  const throughBare = async (count: number) => {
    await sink.child.ask("reset");
    await bare.ask("fill", { count, payload: payloadOf({ temperature: 21.5 }) });
    const startedAt = Date.now();
    await bare.ask("run");
    const found = await rateOf(sink, count, startedAt);
    await bare.ask("rest");
    return found.perSecond;
  };

  await untilSubscribed(sink, device, TOPIC);
  await throughBare(messages / 4);
  await throughBridge(messages / 4);
  const rounds: { bridge: number; bare: number; cpu: number }[] = [];
  for (let round = 1; round <= context.rounds; round++) {
    const bareRate = await throughBare(messages);
    const { rate, cpu } = await throughBridge(messages);
    const one = { bare: bareRate, bridge: rate, cpu };
    rounds.push(one);
    context.progress(`round ${round}: bridge ${perSecond(one.bridge)}, bare ${perSecond(one.bare)}`);
  }
  await device.close();
  return {
    measured: { ratio: medianRatio(rounds) },
    figures: {
      bridge: `${perSecond(median(rounds.map((round) => round.bridge)))}, ${median(rounds.map(({ cpu }) => cpu)).toFixed(0)} µs CPU each`,
      bare: perSecond(median(rounds.map((round) => round.bare))),
    },
    rounds,
  };
}

/** Waits for the last of `count` different messages. */
async function rateOf(sink: Sink, count: number, startedAt: number): Promise<{ perSecond: number }> {
  await untilAtLeast(count, { read: async () => (await readSink(sink)).distinct, timeoutMs: 45_000, everyMs: 50 });
  const { lastAt } = await readSink(sink);
  return { perSecond: count / ((lastAt - startedAt) / 1_000) };
}
