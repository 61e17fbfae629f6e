/** The receiver of the webhooks, as its parent sees it. */
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
  /** Different message ids. */
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

/** The subscription follows the registration within moments: the first message that arrives shows that it stands. */
export async function untilSubscribed(sink: Sink, device: Device, topic: string): Promise<void> {
  const read = async () => {
    await device.flood(topic, 1);
    return (await readSink(sink)).signed;
  };
  await untilAtLeast(1, { read, timeoutMs: 10_000, everyMs: 100 });
  // Those that are still on their way must not count for what is measured next.
  await new Promise((resolve) => setTimeout(resolve, 500));
}
