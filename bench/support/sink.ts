/** The parent side of the webhook receiver `children/sink.ts`. */
import { type Asked, startModule } from "./children.ts";
import type { Device } from "./publish.ts";
import { untilAtLeast } from "./wait.ts";

export interface Sink {
  child: Asked;
  url: string;
}

export interface Received {
  calls: number;
  /** Calls with a signature. */
  signed: number;
  /** Distinct message ids. */
  distinct: number;
  /** Milliseconds since the epoch. */
  firstAt: number;
  lastAt: number;
}

export async function startSink(): Promise<Sink> {
  const child = startModule("sink", {});
  return { child, url: await child.ask<string>("url") };
}

export function readSink({ child }: Sink): Promise<Received> {
  return child.ask<Received>("read");
}

/** Waits for the subscription, which follows the registration: the first message that arrives proves it. */
export async function untilSubscribed(sink: Sink, device: Device, topic: string): Promise<void> {
  const read = async () => {
    await device.flood(topic, 1);
    return (await readSink(sink)).signed;
  };
  await untilAtLeast(1, { read, timeoutMs: 10_000, everyMs: 100 });
  // Messages still in flight must not count in the next measurement.
  await new Promise((resolve) => setTimeout(resolve, 500));
}
