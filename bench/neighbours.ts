/** Effect of two failing webhooks on a healthy one that gets the same messages. */
import { ms, percentile } from "./support/figures.ts";
import { connectDevice } from "./support/publish.ts";
import type { Context, Scenario, Stage } from "./support/scenario.ts";
import { startMosquitto, startRedis } from "./support/servers.ts";
import { readSink, startSink, untilSubscribed } from "./support/sink.ts";
import { untilAtLeast } from "./support/wait.ts";

const TOPIC = "bench/neighbours";
const PER_SECOND = 200;

export const neighbours: Scenario = {
  name: "neighbours",
  title: `p99 at ${PER_SECOND} messages a second beside a webhook that hangs and one that answers 500, and alone`,
  targets: [{ metric: "p99 with/without", unit: "x", atMost: 1.2 }],
  seconds: 50,
  compared: ["p50", "p99"],
  open,
};

async function open(context: Context): Promise<Stage> {
  const [broker, redis, sink, hanging, failing] = await Promise.all([
    startMosquitto(),
    startRedis(),
    startSink(),
    startSink(),
    startSink(),
  ]);
  await hanging.child.ask("reset", { hangs: true });
  await failing.child.ask("reset", { status: 500 });
  const bridge = await context.startBridge({ mqttUrl: broker.url, storeUrl: redis.url });
  await bridge.api("POST", "/v1/webhooks", { url: sink.url, topics: [TOPIC] });
  const device = await connectDevice(broker.url);
  context.onEnd(() => device.close());
  await untilSubscribed(sink, device, TOPIC);

  const latencies = async (seconds: number) => {
    await sink.child.ask("reset", { readsData: true });
    const sent = await device.tick(TOPIC, { perSecond: PER_SECOND, seconds });
    const read = async () => (await readSink(sink)).distinct;
    await untilAtLeast(sent, { read, timeoutMs: 20_000, everyMs: 100 });
    return sink.child.ask<number[]>("latencies");
  };

  const seconds = context.quick ? 5 : 10;
  // New failing webhooks each round: once their breakers are open, they cost nothing.
  const besideSick = async () => {
    const timeoutMs = (seconds * 1_000) / 2;
    const sick = [];
    for (const { url } of [hanging, failing]) {
      sick.push(await bridge.api<{ id: string }>("POST", "/v1/webhooks", { url, topics: [TOPIC], timeoutMs }));
    }
    const result = await latencies(seconds);
    for (const { id } of sick) await bridge.api("DELETE", `/v1/webhooks/${id}`);
    return result;
  };

  const found: Record<"alone" | "beside", number[]> = { alone: [], beside: [] };
  const keep = (key: "alone" | "beside", values: number[]) => {
    found[key].push(...values);
    return { p50: percentile(values, 50), p99: percentile(values, 99) };
  };
  return {
    bridge: { run: async () => keep("beside", await besideSick()) },
    bare: { warmUp: () => latencies(3), run: async () => keep("alone", await latencies(seconds)) },
    summarize() {
      // Over all rounds: the p99 of one round rests on 20 messages and varies by half.
      const [alone, beside] = [percentile(found.alone, 99), percentile(found.beside, 99)];
      return {
        measured: { "p99 with/without": beside / alone },
        figures: { "p99 alone": ms(alone), "p99 beside sick ones": ms(beside) },
      };
    },
  };
}
