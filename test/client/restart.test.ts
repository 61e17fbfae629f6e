/** The client while its bridge is killed and started again. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { Causeway, CausewayConnectionError } from "../../src/client/index.ts";
import { embedded, startScenario } from "../support/scenario.ts";

it("a stream goes on and a call is repeated after the bridge was killed", async (t) => {
  const { bridge, device } = await startScenario(t, embedded);
  const causeway = new Causeway({ url: bridge.url, apiKey: "test-key-0123456789abcdef", retries: 10 });
  const repeated = setInterval(() => device.publish("d/1", String(bridge.pid)), 50);
  t.after(() => clearInterval(repeated));
  const causes: unknown[] = [];
  const pids = new Set<unknown>();
  let restarted: Promise<unknown> | undefined;
  for await (const { data } of causeway.stream(["d/#"], { onReconnect: (cause) => causes.push(cause) })) {
    pids.add(data);
    restarted ??= (async () => {
      await bridge.kill();
      const published = causeway.messages.publish({ topic: "d/2" });
      await bridge.start();
      return published;
    })();
    if (pids.size === 2) break;
  }
  await restarted;
  assert.ok(causes.length > 0 && causes.every((cause) => cause instanceof CausewayConnectionError));
});
