/** A thousand webhooks on the embedded broker and store: readiness after a restart, memory and idle CPU. */
import { setTimeout as delay } from "node:timers/promises";
import { typical } from "../support/comparison.ts";
import { cpuMicroseconds, residentMb } from "../support/proc.ts";
import { registerMany } from "../support/register.ts";
import type { Context, Scenario, Stage } from "../support/scenario.ts";
import { temporaryDirectory } from "../support/servers.ts";

const WEBHOOKS = 1_000;
/** After the start, the bridge settles its subscriptions and opens its workers. */
const SETTLE_MS = 3_000;
const IDLE_MS = 5_000;

export const webhooks: Scenario = {
  name: "embedded-webhooks",
  title: `${WEBHOOKS} webhooks, embedded: time from restarting to /readyz 200, resident memory, CPU when idle`,
  targets: [
    { metric: "ready", unit: "s", atMost: 3 },
    { metric: "memory", unit: "MB", atMost: 250 },
    { metric: "idle CPU", unit: "%", atMost: 2 },
  ],
  seconds: 32,
  compared: ["ready", "memory", "idle"],
  open,
};

async function open(context: Context): Promise<Stage> {
  const options = { directory: temporaryDirectory("bridge") };
  const first = await context.startBridge(options);
  await registerMany(first, WEBHOOKS);
  await first.child.stop();
  return {
    bridge: {
      async run() {
        const bridge = await context.startBridge(options);
        const { pid } = bridge.child;
        const atReady = residentMb(pid);
        await delay(SETTLE_MS);
        const [used, since] = [cpuMicroseconds(pid), performance.now()];
        await delay(IDLE_MS);
        const idle = (cpuMicroseconds(pid) - used) / (performance.now() - since) / 10;
        const memory = Math.max(atReady, residentMb(pid));
        await bridge.child.stop();
        return { ready: bridge.readyMs / 1_000, memory, idle };
      },
    },
    summarize(rounds) {
      const of = (key: string) => typical(rounds, "bridge", key);
      return {
        measured: { ready: of("ready"), memory: of("memory"), "idle CPU": of("idle") },
        figures: {
          "ready after": `${of("ready").toFixed(2)} s`,
          memory: `${Math.round(of("memory"))} MB`,
          "CPU when idle": `${of("idle").toFixed(1)} % of a core`,
        },
      };
    },
  };
}
