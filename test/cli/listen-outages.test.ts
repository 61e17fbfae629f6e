/** `causeway listen` loses nothing while it is suspended, and while its connection is cut or silent. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { startProxy } from "../support/proxy.ts";
import { embedded, scenario } from "../support/scenario.ts";
import { startListening } from "./support.ts";

const SUSPENDED_SECONDS = Number(process.env.SUSPENDED_SECONDS ?? 4);

describe("causeway listen through outages", () => {
  const world = scenario(embedded);
  const publish = (topic: string, payload: string) => world.device.publishAsync(topic, payload, { qos: 1 });

  /** The distinct payloads of the next lines, once there are so many. */
  async function payloads({ next }: { next(): Promise<string> }, count: number): Promise<string[]> {
    const seen = new Set<string>();
    while (seen.size < count) seen.add((await next()).split("\t").at(-1)!);
    return [...seen].sort();
  }

  it("is suspended beyond its lease", async () => {
    const listening = await startListening(world.bridge, "outage/s/#", "--lease", "2");
    await publish("outage/s/1", "0");
    assert.deepEqual(await payloads(listening, 1), ["0"]);
    listening.child.kill("SIGSTOP");
    for (const payload of ["1", "2", "3"]) await publish("outage/s/1", payload);
    await delay(SUSPENDED_SECONDS * 1_000);
    listening.child.kill("SIGCONT");
    const rest = new Set(await payloads(listening, 3));
    rest.delete("0");
    while (rest.size < 3) for (const payload of await payloads(listening, 1)) rest.add(payload);
    assert.deepEqual([...rest].sort(), ["1", "2", "3"]);
    await listening.end();
  });

  it("gets the deliveries of a response that never arrived, long before their leases run out", async (t) => {
    const proxy = await startProxy(Number(new URL(world.bridge.url).port));
    t.after(() => proxy.close());
    // The lease is longer than the test: without the key of the lost call, the message would come in an hour.
    const listening = await startListening(
      { url: `http://127.0.0.1:${proxy.port}` },
      "outage/h/#",
      ...["--lease", "3600"],
    );
    await publish("outage/h/1", "0");
    assert.deepEqual(await payloads(listening, 1), ["0"]);
    const counts = async () => (await world.bridge.api("GET", `/v1/webhooks/${listening.webhookId}`)).body.counts;
    while ((await counts()).succeeded < 1) await delay(50);
    // Gives the next call the time to arrive.
    await delay(500);
    proxy.stall();
    await publish("outage/h/1", "1");
    while ((await counts()).active < 1) await delay(50);
    proxy.cut();
    proxy.resume();
    assert.deepEqual(await payloads(listening, 1), ["1"]);
    await publish("outage/h/1", "2");
    assert.deepEqual(await payloads(listening, 1), ["2"]);
    await listening.end();
  });
});
