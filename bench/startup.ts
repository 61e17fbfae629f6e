/** A first start with the embedded broker and the embedded store in an empty directory. */

import { typical } from "./support/comparison.ts";
import { residentMb } from "./support/proc.ts";
import type { Scenario } from "./support/scenario.ts";

export const startup: Scenario = {
  name: "startup",
  title: "cold start of the embedded defaults in an empty directory to /readyz 200",
  targets: [{ metric: "ready", unit: "s", atMost: 10 }],
  seconds: 12,
  compared: ["ready", "memory"],
  async open(context) {
    return {
      bridge: {
        async run() {
          const bridge = await context.startBridge({});
          const memory = residentMb(bridge.child.pid);
          await bridge.child.stop();
          return { ready: bridge.readyMs / 1_000, memory };
        },
      },
      summarize(rounds) {
        const [ready, memory] = [typical(rounds, "bridge", "ready"), typical(rounds, "bridge", "memory")];
        return {
          measured: { ready },
          figures: { "ready after": `${ready.toFixed(1)} s`, memory: `${Math.round(memory)} MB` },
        };
      },
    };
  },
};
