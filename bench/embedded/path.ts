/** A device, a bridge and a webhook receiver: the way of a message, on the embedded broker and store or on servers. */
import type { Bridge } from "../support/bridge.ts";
import { connectDevice, type Device } from "../support/publish.ts";
import type { Context } from "../support/scenario.ts";
import { type Received, readSink, type Sink, startSink, untilSubscribed } from "../support/sink.ts";
import { untilAtLeast } from "../support/wait.ts";

/** prom-client's histogram holds the times between two ticks of a timer of 10 ms: the delay is what exceeds them. */
const LOOP_TICK_MS = 10;

export interface Path {
  bridge: Bridge;
  device: Device;
  sink: Sink;
  topic: string;
  /** Waits for `count` distinct messages since the last reset. */
  received(count: number): Promise<Received>;
  /** Milliseconds by which the bridge's event loop was late, 99th percentile since the last call. */
  loopDelay(): Promise<number>;
}

export async function openPath(context: Context, options: Parameters<Context["startBridge"]>[0]): Promise<Path> {
  const [sink, bridge] = await Promise.all([startSink(), context.startBridge(options)]);
  const topic = "bench/embedded";
  await bridge.api("POST", "/v1/webhooks", { url: sink.url, topics: [topic], concurrency: 50 });
  const device = await connectDevice(bridge.brokerUrl, options.mqttUrl ? 5 : 4);
  context.onEnd(() => device.close());
  await untilSubscribed(sink, device, topic);
  return {
    bridge,
    device,
    sink,
    topic,
    async received(count) {
      const read = async () => (await readSink(sink)).distinct;
      await untilAtLeast(count, { read, timeoutMs: 60_000, everyMs: 50 });
      return readSink(sink);
    },
    async loopDelay() {
      const seconds = await bridge.metric("nodejs_eventloop_lag_p99_seconds");
      return Math.max(0, seconds * 1_000 - LOOP_TICK_MS);
    },
  };
}
