/** What a webhook notices of two sick ones beside it, which get the same messages. */
import { ms, percentile } from "./support/figures.ts";
import { connectDevice } from "./support/publish.ts";
import type { Context, Outcome, Scenario } from "./support/scenario.ts";
import { startMosquitto, startRedis } from "./support/servers.ts";
import { readSink, startSink, untilSubscribed } from "./support/sink.ts";
import { untilAtLeast } from "./support/wait.ts";

const TOPIC = "bench/neighbours";
const PER_SECOND = 200;

export const neighbours: Scenario = {
  name: "neighbours",
  title: `p99 at ${PER_SECOND} messages a second beside a webhook that hangs and one that answers 500, and alone`,
  targets: [{ metric: "p99 with/without", unit: "x", atMost: 1.2 }],
  maxSeconds: 300,
  run: measure,
};

async function measure(context: Context): Promise<Outcome> {
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
  await untilSubscribed(sink, device, TOPIC);

  const latencies = async (seconds: number) => {
    await sink.child.ask("reset", { readsData: true });
    const sent = await device.tick(TOPIC, { perSecond: PER_SECOND, seconds });
    const read = async () => (await readSink(sink)).distinct;
    await untilAtLeast(sent, { read, timeoutMs: 20_000, everyMs: 100 });
    return sink.child.ask<number[]>("latencies");
  };

  const seconds = context.quick ? 5 : 10;
  // New ones each round: once their breakers are open the sick ones cost nothing any more.
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

  await latencies(3);
  const rounds: Record<"alone" | "beside", number[]>[] = [];
  for (let round = 0; round < context.rounds; round++) {
    // In turns, so that what else the machine does falls on both.
    if (round % 2 === 0) rounds.push({ alone: await latencies(seconds), beside: await besideSick() });
    else {
      const beside = await besideSick();
      rounds.push({ alone: await latencies(seconds), beside });
    }
    const { alone, beside } = rounds.at(-1)!;
    context.progress(`p99 alone ${ms(percentile(alone, 99))}, beside sick ones ${ms(percentile(beside, 99))}`);
  }
  await device.close();
  // Of all rounds together: the p99 of one alone, of 20 messages, varies by half.
  const of = (key: "alone" | "beside") =>
    percentile(
      rounds.flatMap((round) => round[key]),
      99,
    );
  const [alone, beside] = [of("alone"), of("beside")];
  return {
    measured: { "p99 with/without": beside / alone },
    figures: { "p99 alone": ms(alone), "p99 beside sick ones": ms(beside) },
    rounds: rounds.map((each) => ({ alone: percentile(each.alone, 99), beside: percentile(each.beside, 99) })),
  };
}
