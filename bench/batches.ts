/**
 * What a batch saves: the same backlog drained by a webhook that is called for each message, and by one that gets 500 at
 * a time. The receiver reads every event, and answers at once or after a while.
 */
import { median, medianRatio, perSecond } from "./support/figures.ts";
import { connectDevice } from "./support/publish.ts";
import type { Context, Outcome, Scenario } from "./support/scenario.ts";
import { startMosquitto, startRedis } from "./support/servers.ts";
import { readSink, startSink } from "./support/sink.ts";
import { untilAtLeast } from "./support/wait.ts";

const TOPIC = "bench/batches";
const MAX_SIZE = 500;
const ANSWERS_AFTER_MS = [0, 5];

export const batches: Scenario = {
  name: "batches",
  title: `draining a backlog: batches of ${MAX_SIZE} beside single calls (concurrency 10 both), receiver at 0 and 5 ms`,
  // Any receiver on a network takes some milliseconds. Beside one that takes none, on the same machine, the calls that
  // a batch saves cost next to nothing: what is left is BullMQ, which ends each delivery alone in both cases.
  targets: [{ metric: "ratio, 5 ms", unit: "x", atLeast: 3 }],
  maxSeconds: 200,
  run: measure,
};

interface Counts {
  counts: { pending: number; retrying: number; active: number };
}

async function measure(context: Context): Promise<Outcome> {
  const [broker, redis, sink] = await Promise.all([startMosquitto(), startRedis(), startSink()]);
  const bridge = await context.startBridge({ mqttUrl: broker.url, storeUrl: redis.url });
  const device = await connectDevice(broker.url);
  const register = async (fields: object) => {
    const webhook = { url: sink.url, topics: [TOPIC], enabled: false, ...fields };
    return (await bridge.api<{ id: string }>("POST", "/v1/webhooks", webhook)).id;
  };
  const single = await register({});
  const batched = await register({ batch: { maxSize: MAX_SIZE, maxWaitMs: 1_000 } });
  const messages = context.quick ? 10_000 : 20_000;

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

  const found = new Map<number, { bridge: number; bare: number }[]>(ANSWERS_AFTER_MS.map((after) => [after, []]));
  for (let round = 0; round <= context.rounds; round++) {
    for (const [after, rounds] of found) {
      await device.flood(TOPIC, messages);
      for (const id of [single, batched]) await untilWaiting(id, messages);
      const one = { bare: await drain(single, after), bridge: await drain(batched, after) };
      // The first one warms up.
      if (round === 0) continue;
      rounds.push(one);
      const rates = `batches ${perSecond(one.bridge)}, single ${perSecond(one.bare)}`;
      context.progress(`round ${round}, answered after ${after} ms: ${rates}`);
    }
  }
  await device.close();

  const figures: Record<string, string> = {};
  for (const [after, rounds] of found) {
    figures[`batches, ${after} ms`] = perSecond(median(rounds.map((round) => round.bridge)));
    figures[`single, ${after} ms`] = perSecond(median(rounds.map((round) => round.bare)));
  }
  return {
    measured: { "ratio, 5 ms": medianRatio(found.get(5)!) },
    figures: { ...figures, "ratio, 0 ms": medianRatio(found.get(0)!).toFixed(2) },
    rounds: [...found].flatMap(([after, rounds]) => rounds.map((round) => ({ after, ...round }))),
  };
}
