/** What a receiver that is down costs the bridge in memory: everything waits in the store, and nothing in the process. */

import { perSecond } from "./support/figures.ts";
import { residentMb } from "./support/proc.ts";
import { connectDevice } from "./support/publish.ts";
import type { Context, Outcome, Scenario } from "./support/scenario.ts";
import { startMosquitto, startRedis } from "./support/servers.ts";
import { readSink, startSink, untilSubscribed } from "./support/sink.ts";
import { untilAtLeast } from "./support/wait.ts";

const TOPIC = "bench/backlog";

export const backlog: Scenario = {
  name: "backlog",
  title: "100,000 deliveries waiting for a receiver that answers 503: growth of the bridge's memory",
  targets: [{ metric: "growth", unit: "MB", atMost: 150 }],
  maxSeconds: 120,
  run: measure,
};

interface Counts {
  counts: { pending: number; retrying: number; active: number };
}

async function measure(context: Context): Promise<Outcome> {
  const [broker, redis, sink] = await Promise.all([startMosquitto(), startRedis(), startSink()]);
  const bridge = await context.startBridge({ mqttUrl: broker.url, storeUrl: redis.url });
  const { id } = await bridge.api<{ id: string }>("POST", "/v1/webhooks", { url: sink.url, topics: [TOPIC] });
  const device = await connectDevice(broker.url);
  await untilSubscribed(sink, device, TOPIC);
  await sink.child.ask("reset", { status: 503 });

  const messages = context.quick ? 30_000 : 100_000;
  const before = residentMb(bridge.child.pid);
  let peak = before;
  const sampling = setInterval(() => {
    peak = Math.max(peak, residentMb(bridge.child.pid));
  }, 100);
  const startedAt = performance.now();
  await device.flood(TOPIC, messages);
  const waiting = async () => {
    const { counts } = await bridge.api<Counts>("GET", `/v1/webhooks/${id}`);
    return counts.pending + counts.retrying + counts.active;
  };
  await untilAtLeast(messages, { read: waiting, timeoutMs: 80_000, everyMs: 250 });
  const rate = messages / ((performance.now() - startedAt) / 1_000);
  context.progress(`${messages} wait after ${Math.round((performance.now() - startedAt) / 1_000)} s`);
  // A while of retries and nothing else.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  clearInterval(sampling);
  const after = residentMb(bridge.child.pid);
  const { calls } = await readSink(sink);
  await device.close();

  return {
    // The highest value, since memory that is in use while the backlog grows must be there too.
    measured: { growth: peak - before, settled: after - before },
    figures: {
      before: `${Math.round(before)} MB`,
      peak: `${Math.round(peak)} MB`,
      after: `${Math.round(after)} MB`,
      intake: perSecond(rate),
      "calls meanwhile": String(calls),
    },
    rounds: [{ before, peak, after, rate, calls }],
  };
}
