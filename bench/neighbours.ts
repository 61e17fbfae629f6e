/** What a webhook notices of two sick ones beside it, which get the same messages. */
import { median, ms, percentile } from "./support/figures.ts";
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
  maxSeconds: 150,
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

  const p99 = async (seconds: number) => {
    await sink.child.ask("reset", { readsData: true });
    const sent = await device.tick(TOPIC, { perSecond: PER_SECOND, seconds });
    const read = async () => (await readSink(sink)).distinct;
    await untilAtLeast(sent, { read, timeoutMs: 20_000, everyMs: 100 });
    return percentile(await sink.child.ask<number[]>("latencies"), 99);
  };

  const seconds = context.quick ? 5 : 10;
  // New ones each round: once their breakers are open the sick ones cost nothing any more.
  const besideSick = async () => {
    const timeoutMs = (seconds * 1_000) / 2;
    const sick = [];
    for (const { url } of [hanging, failing]) {
      sick.push(await bridge.api<{ id: string }>("POST", "/v1/webhooks", { url, topics: [TOPIC], timeoutMs }));
    }
    const result = await p99(seconds);
    for (const { id } of sick) await bridge.api("DELETE", `/v1/webhooks/${id}`);
    return result;
  };

  await p99(3);
  const rounds: { alone: number; beside: number }[] = [];
  for (let round = 0; round < context.rounds; round++) {
    // In turns, so that what else the machine does falls on both.
    if (round % 2 === 0) rounds.push({ alone: await p99(seconds), beside: await besideSick() });
    else {
      const beside = await besideSick();
      rounds.push({ alone: await p99(seconds), beside });
    }
    context.progress(`p99 alone ${ms(rounds.at(-1)!.alone)}, beside sick ones ${ms(rounds.at(-1)!.beside)}`);
  }
  await device.close();
  const [alone, beside] = [median(rounds.map((each) => each.alone)), median(rounds.map((each) => each.beside))];
  return {
    measured: { "p99 with/without": median(rounds.map((each) => each.beside / each.alone)) },
    figures: { "p99 alone": ms(alone), "p99 beside sick ones": ms(beside) },
    rounds,
  };
}
