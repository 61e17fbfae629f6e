/** From publishing to the webhook's arrival at a load that a small fleet makes. */
import { ms, percentile } from "./support/figures.ts";
import { connectDevice } from "./support/publish.ts";
import type { Context, Outcome, Scenario } from "./support/scenario.ts";
import { startMosquitto, startRedis } from "./support/servers.ts";
import { readSink, startSink, untilSubscribed } from "./support/sink.ts";
import { untilAtLeast } from "./support/wait.ts";

const TOPIC = "bench/latency";
const PER_SECOND = 200;

export const latency: Scenario = {
  name: "latency",
  title: `publish → webhook received at ${PER_SECOND} messages a second for 20 s`,
  targets: [{ metric: "p99", unit: "ms", atMost: 50 }],
  maxSeconds: 60,
  run: measure,
};

async function measure(context: Context): Promise<Outcome> {
  const [broker, redis, sink] = await Promise.all([startMosquitto(), startRedis(), startSink()]);
  const bridge = await context.startBridge({ mqttUrl: broker.url, storeUrl: redis.url });
  await bridge.api("POST", "/v1/webhooks", { url: sink.url, topics: [TOPIC] });
  const device = await connectDevice(broker.url);
  await untilSubscribed(sink, device, TOPIC);

  const run = async (seconds: number) => {
    await sink.child.ask("reset", { readsData: true });
    const sent = await device.tick(TOPIC, { perSecond: PER_SECOND, seconds });
    const read = async () => (await readSink(sink)).distinct;
    await untilAtLeast(sent, { read, timeoutMs: 10_000, everyMs: 100 });
    return sink.child.ask<number[]>("latencies");
  };
  await run(3);
  const latencies = await run(context.quick ? 5 : 20);
  await device.close();

  const [p50, p90, p99, max] = [50, 90, 99, 100].map((percent) => percentile(latencies, percent)) as [
    number,
    number,
    number,
    number,
  ];
  return {
    measured: { p50, p99 },
    figures: { p50: ms(p50), p90: ms(p90), p99: ms(p99), max: ms(max), messages: String(latencies.length) },
    rounds: [{ p50, p90, p99, max }],
  };
}
