/** A receiver that was away: how fast what waited for it is delivered once it is back, beside the usual rate. */
import { perSecond } from "./support/figures.ts";
import { connectDevice } from "./support/publish.ts";
import type { Context, Outcome, Scenario } from "./support/scenario.ts";
import { startMosquitto, startRedis } from "./support/servers.ts";
import { readSink, startSink, untilSubscribed } from "./support/sink.ts";
import { untilAtLeast } from "./support/wait.ts";

const TOPIC = "bench/drain";
const CONCURRENCY = 50;

export const drain: Scenario = {
  name: "drain",
  title:
    "50,000 deliveries waiting for a receiver that answered 500 or 503, from its first 2xx on, beside the usual rate",
  targets: [
    { metric: "after500", unit: "x", atLeast: 0.8 },
    { metric: "after503", unit: "x", atLeast: 0.8 },
  ],
  maxSeconds: 240,
  run: measure,
};

interface Counts {
  counts: { pending: number; retrying: number; active: number };
}

async function measure(context: Context): Promise<Outcome> {
  const [broker, redis, sink] = await Promise.all([startMosquitto(), startRedis(), startSink()]);
  const bridge = await context.startBridge({ mqttUrl: broker.url, storeUrl: redis.url });
  // In place of hours: what failed comes back within seconds.
  const retry = { scheduleSeconds: Array(50).fill(10) };
  const { id } = await bridge.api<{ id: string }>("POST", "/v1/webhooks", {
    url: sink.url,
    topics: [TOPIC],
    concurrency: CONCURRENCY,
    retry,
  });
  const device = await connectDevice(broker.url);
  await untilSubscribed(sink, device, TOPIC);
  const messages = context.quick ? 10_000 : 50_000;
  const timeoutMs = 100_000;
  const distinct = async () => (await readSink(sink)).distinct;

  await sink.child.ask("reset");
  const startedAt = Date.now();
  await device.flood(TOPIC, messages);
  await untilAtLeast(messages, { read: distinct, timeoutMs, everyMs: 50 });
  const usual = messages / (((await readSink(sink)).lastAt - startedAt) / 1_000);
  context.progress(`usual: ${perSecond(usual)}`);

  const after = async (status: number) => {
    await sink.child.ask("reset", { status });
    await device.flood(TOPIC, messages);
    const waiting = async () => {
      const { counts } = await bridge.api<Counts>("GET", `/v1/webhooks/${id}`);
      return counts.pending + counts.retrying + counts.active;
    };
    await untilAtLeast(messages, { read: waiting, timeoutMs, everyMs: 250 });
    // Until most have been tried, where that goes fast.
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    const back = Date.now();
    await sink.child.ask("reset");
    // Exactly all of them: `distinct` counts from here on.
    await untilAtLeast(messages, { read: distinct, timeoutMs, everyMs: 50 });
    const { firstAt, lastAt } = await readSink(sink);
    const rate = messages / ((lastAt - firstAt) / 1_000);
    context.progress(`after ${status}: ${perSecond(rate)}, first call ${firstAt - back} ms after it was back`);
    return { rate, firstMs: firstAt - back };
  };
  const [after500, after503] = [await after(500), await after(503)];
  await device.close();
  return {
    measured: { after500: after500.rate / usual, after503: after503.rate / usual },
    figures: {
      usual: perSecond(usual),
      "after 500": perSecond(after500.rate),
      "after 503": perSecond(after503.rate),
      "first call after 503": `${after503.firstMs} ms`,
    },
    rounds: [{ usual, after500: after500.rate, after503: after503.rate, firstMs: after503.firstMs }],
  };
}
