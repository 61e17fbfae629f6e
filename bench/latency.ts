/** Latency from publish to webhook call under the load of a small fleet. */
import { typical } from "./support/comparison.ts";
import { ms, percentile } from "./support/figures.ts";
import { connectDevice } from "./support/publish.ts";
import type { Context, Scenario, Stage } from "./support/scenario.ts";
import { startMosquitto, startRedis } from "./support/servers.ts";
import { readSink, startSink, untilSubscribed } from "./support/sink.ts";
import { untilAtLeast } from "./support/wait.ts";

const TOPIC = "bench/latency";
const PER_SECOND = 200;

export const latency: Scenario = {
  name: "latency",
  title: `publish → webhook received at ${PER_SECOND} messages a second for 20 s`,
  targets: [{ metric: "p99", unit: "ms", atMost: 50 }],
  seconds: 28,
  compared: ["p50", "p99"],
  open,
};

async function open(context: Context): Promise<Stage> {
  const [broker, redis, sink] = await Promise.all([startMosquitto(), startRedis(), startSink()]);
  const bridge = await context.startBridge({ mqttUrl: broker.url, storeUrl: redis.url });
  await bridge.api("POST", "/v1/webhooks", { url: sink.url, topics: [TOPIC] });
  const device = await connectDevice(broker.url);
  context.onEnd(() => device.close());
  await untilSubscribed(sink, device, TOPIC);

  const run = async (seconds: number) => {
    await sink.child.ask("reset", { readsData: true });
    const sent = await device.tick(TOPIC, { perSecond: PER_SECOND, seconds });
    const read = async () => (await readSink(sink)).distinct;
    await untilAtLeast(sent, { read, timeoutMs: 10_000, everyMs: 100 });
    return sink.child.ask<number[]>("latencies");
  };
  return {
    bridge: {
      warmUp: () => run(3),
      async run() {
        const latencies = await run(context.quick ? 5 : 20);
        const [p50, p90, p99, max] = [50, 90, 99, 100].map((percent) => percentile(latencies, percent));
        return { p50: p50!, p90: p90!, p99: p99!, max: max!, messages: latencies.length };
      },
    },
    summarize(rounds) {
      const of = (key: string) => typical(rounds, "bridge", key);
      return {
        measured: { p50: of("p50"), p99: of("p99") },
        figures: {
          p50: ms(of("p50")),
          p90: ms(of("p90")),
          p99: ms(of("p99")),
          max: ms(of("max")),
          messages: String(of("messages")),
        },
      };
    },
  };
}
