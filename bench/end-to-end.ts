/**
 * MQTT → queue → webhook, the whole path: publisher, broker, intake, queue, worker, signed call. Compared with a BullMQ
 * worker that posts already queued jobs, unsigned.
 */
import { sized } from "./support/budget.ts";
import { startModule } from "./support/children.ts";
import { ratioToBare, typical } from "./support/comparison.ts";
import { perSecond } from "./support/figures.ts";
import { cpuMicroseconds } from "./support/proc.ts";
import { connectDevice, payloadOf } from "./support/publish.ts";
import type { Context, Scenario, Stage } from "./support/scenario.ts";
import { startMosquitto, startRedis } from "./support/servers.ts";
import { readSink, type Sink, startSink, untilSubscribed } from "./support/sink.ts";
import { untilAtLeast } from "./support/wait.ts";

const TOPIC = "bench/deliver";
const CONCURRENCY = 50;

export const endToEnd: Scenario = {
  name: "end-to-end",
  title: `PUBLISH → signed webhook, sustained, beside a bare BullMQ worker + undici (concurrency ${CONCURRENCY} both)`,
  targets: [{ metric: "ratio", unit: "x", atLeast: 0.5 }],
  seconds: 40,
  compared: ["rate", "cpu"],
  open,
};

async function open(context: Context): Promise<Stage> {
  const [broker, redis, sink] = await Promise.all([startMosquitto(), startRedis(), startSink()]);
  const bare = startModule("bare-deliver", {
    REDIS_URL: redis.url,
    SINK_URL: sink.url,
    CONCURRENCY: String(CONCURRENCY),
  });
  const bridge = await context.startBridge({ mqttUrl: broker.url, storeUrl: redis.url });
  await bridge.api("POST", "/v1/webhooks", { url: sink.url, topics: [TOPIC], concurrency: CONCURRENCY });
  const device = await connectDevice(broker.url);
  context.onEnd(() => device.close());
  const most = context.quick ? 6_000 : 20_000;
  let messages = most;

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
    return { rate: found.perSecond };
  };

  await untilSubscribed(sink, device, TOPIC);
  return {
    bridge: {
      async warmUp() {
        const { rate } = await throughBridge(most / 4);
        messages = sized(rate, 6, { least: most / 4, most });
      },
      run: () => throughBridge(messages),
    },
    bare: { warmUp: () => throughBare(most / 4), run: () => throughBare(messages) },
    summarize(rounds) {
      const of = (key: string) => typical(rounds, "bridge", key);
      return {
        measured: { ratio: ratioToBare(rounds, "rate") },
        figures: {
          bridge: `${perSecond(of("rate"))}, ${of("cpu").toFixed(0)} µs CPU each`,
          bare: perSecond(typical(rounds, "bare", "rate")),
          messages: String(messages),
        },
      };
    },
  };
}

/** Waits for `count` distinct messages and returns their rate. */
async function rateOf(sink: Sink, count: number, startedAt: number): Promise<{ perSecond: number }> {
  await untilAtLeast(count, { read: async () => (await readSink(sink)).distinct, timeoutMs: 45_000, everyMs: 50 });
  const { lastAt } = await readSink(sink);
  return { perSecond: count / ((lastAt - startedAt) / 1_000) };
}
