/** Memory of the bridge while a receiver is down: all messages wait in the store, none in the process. */

import { typical } from "./support/comparison.ts";
import { perSecond } from "./support/figures.ts";
import { residentMb } from "./support/proc.ts";
import { connectDevice } from "./support/publish.ts";
import type { Context, Scenario, Stage } from "./support/scenario.ts";
import { startMosquitto, startRedis } from "./support/servers.ts";
import { readSink, startSink, untilSubscribed } from "./support/sink.ts";
import { untilAtLeast } from "./support/wait.ts";

const TOPIC = "bench/backlog";

export const backlog: Scenario = {
  name: "backlog",
  title: "100,000 deliveries waiting for a receiver that answers 503: growth of the bridge's memory",
  targets: [{ metric: "growth", unit: "MB", atMost: 150 }],
  seconds: 30,
  mostRounds: 1,
  compared: ["growth", "rate"],
  open,
};

interface Counts {
  counts: { pending: number; retrying: number; active: number };
}

async function open(context: Context): Promise<Stage> {
  const [broker, redis, sink] = await Promise.all([startMosquitto(), startRedis(), startSink()]);
  const bridge = await context.startBridge({ mqttUrl: broker.url, storeUrl: redis.url });
  const { id } = await bridge.api<{ id: string }>("POST", "/v1/webhooks", { url: sink.url, topics: [TOPIC] });
  const device = await connectDevice(broker.url);
  context.onEnd(() => device.close());
  await untilSubscribed(sink, device, TOPIC);
  await sink.child.ask("reset", { status: 503 });

  const messages = context.quick ? 30_000 : 100_000;

  const run = async () => {
    const before = residentMb(bridge.child.pid);
    let peak = before;
    const sampling = setInterval(() => {
      peak = Math.max(peak, residentMb(bridge.child.pid));
    }, 100);
    const endSampling = () => clearInterval(sampling);
    context.onEnd(endSampling);
    const startedAt = performance.now();
    await device.flood(TOPIC, messages);
    const waiting = async () => {
      const { counts } = await bridge.api<Counts>("GET", `/v1/webhooks/${id}`);
      return counts.pending + counts.retrying + counts.active;
    };
    await untilAtLeast(messages, { read: waiting, timeoutMs: 80_000, everyMs: 250 });
    const rate = messages / ((performance.now() - startedAt) / 1_000);
    context.progress(`${messages} wait after ${Math.round((performance.now() - startedAt) / 1_000)} s`);
    // A period of retries only.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    endSampling();
    const after = residentMb(bridge.child.pid);
    const { calls } = await readSink(sink);
    // The peak, because memory needed while the backlog grows counts as well.
    return { growth: peak - before, settled: after - before, before, peak, after, rate, calls };
  };

  return {
    bridge: { run },
    summarize(rounds) {
      const of = (key: string) => typical(rounds, "bridge", key);
      const mb = (key: string) => `${Math.round(of(key))} MB`;
      return {
        measured: { growth: of("growth"), settled: of("settled") },
        figures: {
          before: mb("before"),
          peak: mb("peak"),
          after: mb("after"),
          intake: perSecond(of("rate")),
          "calls meanwhile": String(of("calls")),
        },
      };
    },
  };
}
