/** A first start of the defaults in an empty folder, as `npm start` does it, and the memory of the idle bridge. */
import { setTimeout as delay } from "node:timers/promises";
import { typical } from "../support/comparison.ts";
import { residentMb } from "../support/proc.ts";
import type { Scenario } from "../support/scenario.ts";

const IDLE_MS = 3_000;

export const start: Scenario = {
  name: "embedded-start",
  title: "start of the embedded defaults in an empty folder to /readyz 200, and resident memory when idle",
  targets: [
    { metric: "ready", unit: "s", atMost: 1.5 },
    { metric: "memory", unit: "MB", atMost: 130 },
  ],
  seconds: 16,
  compared: ["ready", "memory"],
  async open(context) {
    return {
      bridge: {
        async run() {
          const bridge = await context.startBridge({});
          await delay(IDLE_MS);
          const memory = residentMb(bridge.child.pid);
          await bridge.child.stop();
          return { ready: bridge.readyMs / 1_000, memory };
        },
      },
      summarize(rounds) {
        const [ready, memory] = [typical(rounds, "bridge", "ready"), typical(rounds, "bridge", "memory")];
        return {
          measured: { ready, memory },
          figures: { "ready after": `${ready.toFixed(2)} s`, "memory when idle": `${Math.round(memory)} MB` },
        };
      },
    };
  },
};
