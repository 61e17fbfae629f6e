/** A first start on a bare machine: embedded broker, embedded store, an empty directory. */

import { median } from "./support/figures.ts";
import { residentMb } from "./support/proc.ts";
import type { Context, Outcome, Scenario } from "./support/scenario.ts";

export const startup: Scenario = {
  name: "startup",
  title: "cold start of the embedded defaults in an empty directory to /readyz 200",
  targets: [{ metric: "ready", unit: "s", atMost: 10 }],
  maxSeconds: 90,
  run: measure,
};

async function measure(context: Context): Promise<Outcome> {
  const rounds: Record<string, number>[] = [];
  for (let round = 1; round <= Math.min(context.rounds, context.quick ? 1 : 3); round++) {
    const bridge = await context.startBridge({});
    const ready = bridge.readyMs / 1_000;
    rounds.push({ ready, memory: residentMb(bridge.child.pid) });
    context.progress(`round ${round}: ${ready.toFixed(1)} s`);
    await bridge.child.stop();
  }
  const ready = median(rounds.map((round) => round.ready!));
  const memory = median(rounds.map((round) => round.memory!));
  return {
    measured: { ready },
    figures: { "ready after": `${ready.toFixed(1)} s`, memory: `${Math.round(memory)} MB` },
    rounds,
  };
}
