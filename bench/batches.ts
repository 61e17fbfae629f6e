/**
 * Gain of batches: a webhook with one call per message and a webhook with batches of 500 drain the same backlog. The
 * receiver parses every event and responds at once or after a delay.
 */
import { sized } from "./support/budget.ts";
import { typical } from "./support/comparison.ts";
import { median, perSecond } from "./support/figures.ts";
import { connectDevice } from "./support/publish.ts";
import type { Context, Round, Scenario, Stage } from "./support/scenario.ts";
import { startMosquitto, startRedis } from "./support/servers.ts";
import { readSink, startSink } from "./support/sink.ts";
import { untilAtLeast } from "./support/wait.ts";

const TOPIC = "bench/batches";
const MAX_SIZE = 500;
const ANSWERS_AFTER_MS = [0, 5];

export const batches: Scenario = {
  name: "batches",
  title: `draining a backlog: batches of ${MAX_SIZE} beside single calls (concurrency 10 both), receiver at 0 and 5 ms`,
  // A receiver on a network takes some milliseconds. With a local receiver at 0 ms, the calls that a batch saves cost
  // next to nothing; the remaining cost is BullMQ, which completes each delivery individually in both cases.
  targets: [{ metric: "ratio, 5 ms", unit: "x", atLeast: 3 }],
  seconds: 50,
  compared: ["batches, 5 ms", "single, 5 ms", "batches, 0 ms", "single, 0 ms"],
  open,
};

interface Counts {
  counts: { pending: number; retrying: number; active: number };
}

async function open(context: Context): Promise<Stage> {
  const [broker, redis, sink] = await Promise.all([startMosquitto(), startRedis(), startSink()]);
  const bridge = await context.startBridge({ mqttUrl: broker.url, storeUrl: redis.url });
  const device = await connectDevice(broker.url);
  context.onEnd(() => device.close());
  const register = async (fields: object) => {
    const webhook = { url: sink.url, topics: [TOPIC], enabled: false, ...fields };
    return (await bridge.api<{ id: string }>("POST", "/v1/webhooks", webhook)).id;
  };
  const single = await register({});
  const batched = await register({ batch: { maxSize: MAX_SIZE, maxWaitMs: 1_000 } });
  const most = context.quick ? 10_000 : 20_000;
  let messages = most / 4;

  const drain = async (id: string, delayMs: number) => {
    await sink.child.ask("reset", { delayMs, readsEvents: true });
    const startedAt = Date.now();
    await bridge.api("PATCH", `/v1/webhooks/${id}`, { enabled: true });
    const read = async () => (await readSink(sink)).distinct;
    await untilAtLeast(messages, { read, timeoutMs: 60_000, everyMs: 50 });
    const { lastAt } = await readSink(sink);
    await untilWaiting(id, 0);
    await bridge.api("PATCH", `/v1/webhooks/${id}`, { enabled: false });
    return messages / ((lastAt - startedAt) / 1_000);
  };
  const untilWaiting = async (id: string, wanted: number) => {
    const distance = async () => {
      const { counts } = await bridge.api<Counts>("GET", `/v1/webhooks/${id}`);
      return -Math.abs(wanted - counts.pending - counts.retrying - counts.active);
    };
    await untilAtLeast(0, { read: distance, timeoutMs: 60_000, everyMs: 50 });
  };

  /** Drains the same backlog with both webhooks: single calls first or batches first, alternating by round. */
  const both = async (delayMs: number, batchesFirst: boolean) => {
    await device.flood(TOPIC, messages);
    for (const id of [single, batched]) await untilWaiting(id, messages);
    const early = batchesFirst ? await drain(batched, delayMs) : undefined;
    const bare = await drain(single, delayMs);
    return { bare, bridge: early ?? (await drain(batched, delayMs)) };
  };

  let round = 0;
  return {
    bridge: {
      async warmUp() {
        const { bare } = await both(0, false);
        messages = sized(bare, 5, { least: most / 4, most });
      },
      async run() {
        const sample: Record<string, number> = {};
        round++;
        for (const after of ANSWERS_AFTER_MS) {
          const { bare, bridge: batch } = await both(after, round % 2 === 0);
          Object.assign(sample, { [`batches, ${after} ms`]: batch, [`single, ${after} ms`]: bare });
        }
        return sample;
      },
    },
    summarize(rounds) {
      const names = ANSWERS_AFTER_MS.flatMap((after) => [`batches, ${after} ms`, `single, ${after} ms`]);
      const rates = names.map((name) => [name, perSecond(typical(rounds, "bridge", name))]);
      return {
        measured: { "ratio, 5 ms": ratio(rounds, 5) },
        figures: {
          ...Object.fromEntries(rates),
          "ratio, 0 ms": ratio(rounds, 0).toFixed(2),
          messages: String(messages),
        },
      };
    },
  };
}

function ratio(rounds: Round[], after: number): number {
  return median(rounds.map(({ bridge }) => bridge[`batches, ${after} ms`]! / bridge[`single, ${after} ms`]!));
}
