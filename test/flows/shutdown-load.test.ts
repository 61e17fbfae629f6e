/** SIGTERM under full load: messages from devices, direct and stored publishes over HTTP, open requests and streams. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { TestBridge } from "../support/bridge.ts";
import { connectTo } from "../support/device.ts";
import { eventually } from "../support/eventually.ts";
import { untilAll } from "../support/instances.ts";
import { publishLoad, tally } from "../support/load.ts";
import { startReceiver } from "../support/receiver.ts";
import { mosquittoAndRedis } from "../support/setups.ts";
import { scaled } from "../support/speed.ts";

/** Messages of the devices; `PER_SECOND=1000` on an idle machine. */
const PER_SECOND = Number(process.env.PER_SECOND ?? 120);
const CONCURRENCY = 20;
const STOP_MS = 15_000;
const CALLERS = 4;
const servers = mosquittoAndRedis("5");

/** Outcomes reported to the API callers, by message number. */
interface Told {
  acknowledged: number[];
  queued: number[];
  refused: Set<string>;
  /** Calls that got neither a response nor a refused connection: the message may or may not be published. */
  broken: number;
}

describe("SIGTERM under full load", servers.options, () => {
  it(`keeps every promise at ${PER_SECOND} messages a second with API calls`, async (t) => {
    const { bridge, brokerUrl, close } = await servers.start();
    const receiver = await startReceiver();
    const device = await connectTo(brokerUrl, 5);
    await bridge.register({ url: receiver.url, topics: ["load/#"], concurrency: CONCURRENCY });
    const load = publishLoad(brokerUrl, { count: 10_000_000, perSecond: PER_SECOND, window: 1_000 });
    t.after(async () => {
      await load.close();
      await device.endAsync(true);
      await close();
      await receiver.close();
    });
    const heard: number[] = [];
    device.on("message", (_topic, payload) => heard.push(Number(payload)));
    await device.subscribeAsync("down/#", { qos: 1 });

    const stream = openStream(bridge);
    const asked = bridge.api("POST", "/v1/requests", { topic: "nobody", payload: "?", timeoutSeconds: 60 });
    const stopped = new AbortController();
    const told: Told = { acknowledged: [], queued: [], refused: new Set(), broken: 0 };
    const callers = Array.from({ length: CALLERS }, (_, i) => publishUntil(stopped.signal, bridge, i, told));
    await receiver.until((calls) => calls.length >= 2 * PER_SECOND, 60_000);
    await eventually(
      () => told.queued.length,
      (count) => count > 10,
    );

    const startedAt = performance.now();
    const exit = await bridge.stop();
    const took = Math.round(performance.now() - startedAt);
    stopped.abort();
    await Promise.all(callers);
    assert.deepEqual(exit, { code: 0, signal: null });
    assert.ok(took < scaled(STOP_MS), `it took ${took} ms`);
    const { status, body } = await asked;
    assert.deepEqual([status, body.code], [503, "shutting_down"]);
    assert.ok((await stream).ended, "the stream came to an end, and did not break");

    await bridge.start();
    const count = await load.finish();
    await untilAll(receiver, count);
    const promised = [...told.acknowledged, ...told.queued];
    await eventually(
      () => promised.filter((number) => !heard.includes(number)),
      (missing) => missing.length === 0,
    );
    const { missing, sameId, otherId } = tally(receiver.calls, count);
    const twice = heard.length - new Set(heard).size;
    t.diagnostic(`it took ${took} ms; up: ${count}, lost ${missing.length}, twice ${sameId} and ${otherId}`);
    const { acknowledged, queued, refused, broken } = told;
    t.diagnostic(
      `down: ${acknowledged.length} acknowledged, ${queued.length} stored, refused with ${[...refused]}, ` +
        `${broken} without an answer, ${twice} twice`,
    );
    assert.deepEqual({ missing, sameId, otherId, twice }, { missing: [], sameId: 0, otherId: 0, twice: 0 });
    for (const why of refused) assert.match(why, /^503 (shutting_down|broker_unavailable)$/);
  });
});

/** Publishes until the signal; every other publish is stored first. */
async function publishUntil(signal: AbortSignal, bridge: TestBridge, caller: number, told: Told): Promise<void> {
  for (let i = 0; !signal.aborted; i++) {
    const payload = i * CALLERS + caller;
    const headers: Record<string, string> = i % 2 === 0 ? { prefer: "respond-async" } : {};
    try {
      const { status, body } = await bridge.api("POST", "/v1/messages", { topic: "down/x", payload }, headers);
      if (status === 200) told.acknowledged.push(payload);
      else if (status === 202) told.queued.push(payload);
      else told.refused.add(`${status} ${body.code}`);
    } catch (error) {
      // A refused connection is not a missing response: the bridge no longer listens.
      if (!/ECONNREFUSED/.test(String((error as Error).cause))) told.broken++;
    }
    await delay(10);
  }
}

async function openStream(bridge: TestBridge): Promise<{ ended: boolean }> {
  const headers = { authorization: "Bearer test-key-0123456789abcdef" };
  const { body } = await fetch(`${bridge.url}/v1/stream?topic=load/0`, { headers });
  try {
    for await (const _ of body!);
    return { ended: true };
  } catch {
    return { ended: false };
  }
}
