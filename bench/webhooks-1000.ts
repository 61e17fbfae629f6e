/** A bridge with a thousand registrations: how fast it is back after a restart, and how large. */
import { setTimeout as delay } from "node:timers/promises";
import { residentMb } from "./support/proc.ts";
import type { Context, Outcome, Scenario } from "./support/scenario.ts";
import { startMosquitto, startRedis, temporaryDirectory } from "./support/servers.ts";

const WEBHOOKS = 1_000;
const AT_ONCE = 16;

export const webhooks1000: Scenario = {
  name: "webhooks-1000",
  title: `${WEBHOOKS} webhooks: time from restarting to /readyz 200, and resident memory`,
  targets: [
    { metric: "ready", unit: "s", atMost: 10 },
    { metric: "memory", unit: "MB", atMost: 500 },
  ],
  maxSeconds: 100,
  run: measure,
};

async function measure(context: Context): Promise<Outcome> {
  const [broker, redis] = await Promise.all([startMosquitto(), startRedis()]);
  const options = { mqttUrl: broker.url, storeUrl: redis.url, directory: temporaryDirectory("bridge") };
  const first = await context.startBridge(options);

  const registeringAt = performance.now();
  let next = 0;
  const register = async () => {
    while (next < WEBHOOKS) {
      const n = next++;
      await first.api("POST", "/v1/webhooks", { url: `http://127.0.0.1:9/${n}`, topics: [`fleet/${n}/+/state`] });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, register));
  const registering = (performance.now() - registeringAt) / 1_000;
  context.progress(`registered in ${registering.toFixed(1)} s`);
  const stoppingAt = performance.now();
  await first.child.stop();
  const stopping = (performance.now() - stoppingAt) / 1_000;

  const second = await context.startBridge(options);
  const ready = second.readyMs / 1_000;
  const memoryAtReady = residentMb(second.child.pid);
  await delay(3_000);
  const memory = Math.max(memoryAtReady, residentMb(second.child.pid));
  return {
    measured: { ready, memory },
    figures: {
      "ready after": `${ready.toFixed(1)} s`,
      memory: `${Math.round(memory)} MB`,
      registering: `${registering.toFixed(1)} s`,
      stopping: `${stopping.toFixed(1)} s`,
    },
    rounds: [{ ready, memoryAtReady, memory, registering, stopping }],
  };
}
