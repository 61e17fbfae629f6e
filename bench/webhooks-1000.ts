/** A bridge with a thousand registrations: time to readiness after a restart, and memory. */
import { setTimeout as delay } from "node:timers/promises";
import { typical } from "./support/comparison.ts";
import { residentMb } from "./support/proc.ts";
import { registerMany } from "./support/register.ts";
import type { Context, Scenario, Stage } from "./support/scenario.ts";
import { startMosquitto, startRedis, temporaryDirectory } from "./support/servers.ts";

const WEBHOOKS = 1_000;

export const webhooks1000: Scenario = {
  name: "webhooks-1000",
  title: `${WEBHOOKS} webhooks: time from restarting to /readyz 200, and resident memory`,
  targets: [
    { metric: "ready", unit: "s", atMost: 10 },
    { metric: "memory", unit: "MB", atMost: 500 },
  ],
  seconds: 22,
  compared: ["ready", "memory"],
  open,
};

async function open(context: Context): Promise<Stage> {
  const [broker, redis] = await Promise.all([startMosquitto(), startRedis()]);
  const options = { mqttUrl: broker.url, storeUrl: redis.url, directory: temporaryDirectory("bridge") };
  const first = await context.startBridge(options);

  const registering = await registerMany(first, WEBHOOKS);
  context.progress(`registered in ${registering.toFixed(1)} s`);
  await first.child.stop();

  return {
    bridge: {
      async run() {
        const bridge = await context.startBridge(options);
        const atReady = residentMb(bridge.child.pid);
        await delay(3_000);
        const memory = Math.max(atReady, residentMb(bridge.child.pid));
        const stoppingAt = performance.now();
        await bridge.child.stop();
        return { ready: bridge.readyMs / 1_000, memory, stopping: (performance.now() - stoppingAt) / 1_000 };
      },
    },
    summarize(rounds) {
      const of = (key: string) => typical(rounds, "bridge", key);
      return {
        measured: { ready: of("ready"), memory: of("memory") },
        figures: {
          "ready after": `${of("ready").toFixed(1)} s`,
          memory: `${Math.round(of("memory"))} MB`,
          registering: `${registering.toFixed(1)} s`,
          stopping: `${of("stopping").toFixed(1)} s`,
        },
      };
    },
  };
}
