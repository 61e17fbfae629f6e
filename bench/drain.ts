/** Recovery of a receiver: delivery rate of its backlog once it is back, compared with the usual rate. */
import { sized } from "./support/budget.ts";
import { typical } from "./support/comparison.ts";
import { median, perSecond } from "./support/figures.ts";
import { connectDevice } from "./support/publish.ts";
import type { Context, Scenario, Stage } from "./support/scenario.ts";
import { startMosquitto, startRedis } from "./support/servers.ts";
import { readSink, startSink, untilSubscribed } from "./support/sink.ts";
import { untilAtLeast } from "./support/wait.ts";

const TOPIC = "bench/drain";
const CONCURRENCY = 50;

export const drain: Scenario = {
  name: "drain",
  title:
    "up to 50,000 deliveries waiting for a receiver that answered 500 or 503, from its first 2xx on, beside the usual rate",
  targets: [
    { metric: "after500", unit: "x", atLeast: 0.8 },
    { metric: "after503", unit: "x", atLeast: 0.8 },
  ],
  seconds: 64,
  compared: ["usual", "after500", "after503"],
  open,
};

interface Counts {
  counts: { pending: number; retrying: number; active: number };
}

async function open(context: Context): Promise<Stage> {
  const [broker, redis, sink] = await Promise.all([startMosquitto(), startRedis(), startSink()]);
  const bridge = await context.startBridge({ mqttUrl: broker.url, storeUrl: redis.url });
  // Retries follow within seconds instead of hours.
  const retry = { scheduleSeconds: Array(50).fill(10) };
  const { id } = await bridge.api<{ id: string }>("POST", "/v1/webhooks", {
    url: sink.url,
    topics: [TOPIC],
    concurrency: CONCURRENCY,
    retry,
  });
  const device = await connectDevice(broker.url);
  context.onEnd(() => device.close());
  await untilSubscribed(sink, device, TOPIC);
  const most = context.quick ? 10_000 : 50_000;
  const timeoutMs = 100_000;
  const distinct = async () => (await readSink(sink)).distinct;
  let messages = 5_000;

  const usually = async () => {
    await sink.child.ask("reset");
    const startedAt = Date.now();
    await device.flood(TOPIC, messages);
    await untilAtLeast(messages, { read: distinct, timeoutMs, everyMs: 50 });
    return messages / (((await readSink(sink)).lastAt - startedAt) / 1_000);
  };

  const after = async (status: number) => {
    await sink.child.ask("reset", { status });
    await device.flood(TOPIC, messages);
    const waiting = async () => {
      const { counts } = await bridge.api<Counts>("GET", `/v1/webhooks/${id}`);
      return counts.pending + counts.retrying + counts.active;
    };
    await untilAtLeast(messages, { read: waiting, timeoutMs, everyMs: 250 });
    // Lets most deliveries have their first attempt where attempts are fast.
    await new Promise((resolve) => setTimeout(resolve, context.quick ? 2_000 : 10_000));
    const back = Date.now();
    await sink.child.ask("reset");
    // Exactly all messages: the reset above restarted `distinct`.
    await untilAtLeast(messages, { read: distinct, timeoutMs, everyMs: 50 });
    const { firstAt, lastAt } = await readSink(sink);
    const rate = messages / ((lastAt - firstAt) / 1_000);
    context.progress(`after ${status}: ${perSecond(rate)}, first call ${firstAt - back} ms after it was back`);
    return { rate, firstMs: firstAt - back };
  };
  return {
    bridge: {
      async warmUp() {
        messages = sized(await usually(), context.quick ? 3 : 9, { least: 5_000, most });
      },
      async run() {
        const usual = await usually();
        context.progress(`usual: ${perSecond(usual)}`);
        const [after500, after503] = [await after(500), await after(503)];
        return { usual, after500: after500.rate, after503: after503.rate, firstMs: after503.firstMs };
      },
    },
    summarize(rounds) {
      const of = (key: string) => typical(rounds, "bridge", key);
      const beside = (key: string) => median(rounds.map(({ bridge: one }) => one[key]! / one.usual!));
      return {
        measured: { after500: beside("after500"), after503: beside("after503") },
        figures: {
          usual: perSecond(of("usual")),
          "after 500": perSecond(of("after500")),
          "after 503": perSecond(of("after503")),
          "first call after 503": `${of("firstMs")} ms`,
          waiting: String(messages),
        },
      };
    },
  };
}
