/**
 * Cost of open dashboard pages: the whole path with pages open and without, on the same bridge. The bridge's CPU time a
 * message decides, which bounds its throughput on a core of its own. The rates are shown as well; here they also fall
 * because the pages' side and the broker share the cores with the bridge.
 */

import { sized } from "./support/budget.ts";
import { startModule } from "./support/children.ts";
import { typical } from "./support/comparison.ts";
import { perSecond } from "./support/figures.ts";
import { cpuMicroseconds } from "./support/proc.ts";
import { connectDevice } from "./support/publish.ts";
import type { Context, Scenario, Stage } from "./support/scenario.ts";
import { startMosquitto, startRedis } from "./support/servers.ts";
import { readSink, startSink, untilSubscribed } from "./support/sink.ts";
import { untilAtLeast } from "./support/wait.ts";

const TOPIC = "bench/watched";
const CONCURRENCY = 50;

export const dashboard: Scenario = {
  name: "dashboard",
  title: "PUBLISH → signed webhook with the overview, the deliveries and the live page open, and with none",
  targets: [{ metric: "CPU a message without/with", unit: "x", atLeast: 0.95 }],
  seconds: 45,
  compared: ["rate", "cpu"],
  open,
};

async function open(context: Context): Promise<Stage> {
  const [broker, redis, sink] = await Promise.all([startMosquitto(), startRedis(), startSink()]);
  const bridge = await context.startBridge({ mqttUrl: broker.url, storeUrl: redis.url });
  await bridge.api("POST", "/v1/webhooks", { url: sink.url, topics: [TOPIC], concurrency: CONCURRENCY });
  const pages = startModule("open-pages", {
    BRIDGE_URL: bridge.address,
    AUTHORIZATION: bridge.headers.authorization!,
  });
  const device = await connectDevice(broker.url);
  context.onEnd(() => device.close());
  await untilSubscribed(sink, device, TOPIC);
  const most = context.quick ? 6_000 : 20_000;
  let messages = most;

  const flood = async (count: number) => {
    await sink.child.ask("reset");
    const startedAt = Date.now();
    const used = cpuMicroseconds(bridge.child.pid);
    await device.flood(TOPIC, count);
    const read = async () => (await readSink(sink)).distinct;
    await untilAtLeast(count, { read, timeoutMs: 60_000, everyMs: 50 });
    const { lastAt } = await readSink(sink);
    return {
      rate: count / ((lastAt - startedAt) / 1_000),
      cpu: (cpuMicroseconds(bridge.child.pid) - used) / count,
    };
  };
  const watched = async (count: number, topics?: string) => {
    await pages.ask("open", { topics });
    const sample = await flood(count);
    const { failures } = await pages.ask<{ failures: number }>("close");
    if (failures > 0) throw new Error(`${failures} calls of the pages failed`);
    return sample;
  };

  return {
    bridge: {
      async warmUp() {
        const { rate } = await watched(most / 4, "bench/#");
        messages = sized(rate, 6, { least: most / 4, most });
      },
      run: () => watched(messages, "bench/#"),
    },
    bare: { warmUp: () => flood(most / 4), run: () => flood(messages) },
    summarize(rounds) {
      const rate = (side: "bridge" | "bare") => typical(rounds, side, "rate");
      const cpu = (side: "bridge" | "bare") => `${typical(rounds, side, "cpu").toFixed(0)} µs CPU each`;
      return {
        measured: { "CPU a message without/with": typical(rounds, "bare", "cpu") / typical(rounds, "bridge", "cpu") },
        figures: {
          "throughput with/without": (rate("bridge") / rate("bare")).toFixed(2),
          watched: `${perSecond(rate("bridge"))}, ${cpu("bridge")}`,
          alone: `${perSecond(rate("bare"))}, ${cpu("bare")}`,
          messages: String(messages),
        },
      };
    },
  };
}
