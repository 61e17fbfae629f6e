/**
 * MQTT → queue → webhook on the embedded broker and store, beside the same bridge on Mosquitto and Redis: rate, CPU time
 * of the bridge process, and how late its event loop runs.
 */
import { sized } from "../support/budget.ts";
import { ratioToBare, typical } from "../support/comparison.ts";
import { perSecond } from "../support/figures.ts";
import { cpuMicroseconds } from "../support/proc.ts";
import type { Context, Scenario, Side, Stage } from "../support/scenario.ts";
import { startMosquitto, startRedis } from "../support/servers.ts";
import { openPath, type Path } from "./path.ts";

/** Messages a second of the embedded store on PGlite, which SQLite replaced, on such a machine. Not part of this run. */
const PGLITE_RATE = 298;
const MOST = 20_000;

export const flow: Scenario = {
  name: "embedded-flow",
  title: "PUBLISH → signed webhook on the embedded broker and store, beside the bridge on Mosquitto and Redis",
  targets: [
    { metric: "ratio", unit: "x", atLeast: 1.5 },
    { metric: "PGlite ratio", unit: "x", atLeast: 10 },
    { metric: "loop p99", unit: "ms", atMost: 20 },
  ],
  seconds: 60,
  compared: ["rate", "cpu"],
  open,
};

async function open(context: Context): Promise<Stage> {
  const [broker, redis] = await Promise.all([startMosquitto(), startRedis()]);
  const embedded = await openPath(context, {});
  const servers = await openPath(context, { mqttUrl: broker.url, storeUrl: redis.url });
  const least = context.quick ? 2_000 : 4_000;
  let messages = MOST;
  const side = (path: Path): Side => ({
    async warmUp() {
      const { rate } = await flood(path, least);
      messages = Math.min(messages, sized(rate, 4, { least, most: MOST }));
    },
    run: () => flood(path, messages),
  });
  return {
    bridge: side(embedded),
    bare: side(servers),
    summarize(rounds) {
      const of = (key: string) => typical(rounds, "bridge", key);
      const other = (key: string) => typical(rounds, "bare", key);
      return {
        measured: {
          ratio: ratioToBare(rounds, "rate"),
          "PGlite ratio": of("rate") / PGLITE_RATE,
          "loop p99": of("loop"),
        },
        figures: {
          embedded: `${perSecond(of("rate"))}, ${of("cpu").toFixed(0)} µs CPU each`,
          "Mosquitto + Redis": `${perSecond(other("rate"))}, ${other("cpu").toFixed(0)} µs CPU of the bridge each`,
          "CPU ratio": ratioToBare(rounds, "cpu").toFixed(2),
          "PGlite (earlier)": perSecond(PGLITE_RATE),
          messages: String(messages),
        },
      };
    },
  };
}

/** Delivers `count` messages as fast as the path allows. */
export async function flood(path: Path, count: number): Promise<{ rate: number; cpu: number; loop: number }> {
  const { bridge, device, topic } = path;
  await path.sink.child.ask("reset");
  await path.loopDelay();
  const startedAt = Date.now();
  const used = cpuMicroseconds(bridge.child.pid);
  await device.flood(topic, count);
  const { lastAt } = await path.received(count);
  const cpu = (cpuMicroseconds(bridge.child.pid) - used) / count;
  return { rate: count / ((lastAt - startedAt) / 1_000), cpu, loop: await path.loopDelay() };
}
