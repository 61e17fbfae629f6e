/** Latency from publish to webhook call on the embedded broker and store: one message at a time, and of a small fleet. */
import { typical } from "../support/comparison.ts";
import { ms, percentile } from "../support/figures.ts";
import type { Context, Scenario, Stage } from "../support/scenario.ts";
import { openPath } from "./path.ts";

const PER_SECOND = 200;

export const latency: Scenario = {
  name: "embedded-latency",
  title: `publish → webhook received, embedded: one message at a time, and ${PER_SECOND} a second for 10 s`,
  targets: [
    { metric: "p50, alone", unit: "ms", atMost: 5 },
    { metric: "p99", unit: "ms", atMost: 25 },
  ],
  seconds: 30,
  compared: ["p50, alone", "p99"],
  open,
};

async function open(context: Context): Promise<Stage> {
  const path = await openPath(context, {});
  const { sink, device, topic } = path;

  /** Each message leaves when the one before it has arrived. */
  const oneByOne = async (count: number) => {
    await sink.child.ask("reset", { readsData: true });
    for (let sent = 1; sent <= count; sent++) {
      device.publish(topic);
      await sink.child.ask("until", { count: sent });
    }
    return sink.child.ask<number[]>("latencies");
  };
  const fleet = async (seconds: number) => {
    await sink.child.ask("reset", { readsData: true });
    await path.received(await device.tick(topic, { perSecond: PER_SECOND, seconds }));
    return sink.child.ask<number[]>("latencies");
  };
  return {
    bridge: {
      async warmUp() {
        await oneByOne(200);
        await fleet(3);
      },
      async run() {
        const alone = await oneByOne(context.quick ? 100 : 300);
        const many = await fleet(context.quick ? 4 : 10);
        return {
          "p50, alone": percentile(alone, 50),
          "p99, alone": percentile(alone, 99),
          p50: percentile(many, 50),
          p99: percentile(many, 99),
          max: percentile(many, 100),
        };
      },
    },
    summarize(rounds) {
      const of = (key: string) => typical(rounds, "bridge", key);
      return {
        measured: { "p50, alone": of("p50, alone"), p99: of("p99") },
        figures: {
          "one at a time p50": ms(of("p50, alone")),
          p99: ms(of("p99, alone")),
          [`at ${PER_SECOND}/s p50`]: ms(of("p50")),
          "p99 there": ms(of("p99")),
          max: ms(of("max")),
        },
      };
    },
  };
}
