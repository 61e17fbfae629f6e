/** Connects the simulated clients to a broker: readings at an interval, answers to commands, and an orderly end. */
import { setMaxListeners } from "node:events";
import { withDeadline } from "../lib/deadline.ts";
import { BrokerError } from "./broker-error.ts";
import { ClientConnection, type ConnectionSettings, type Traffic } from "./client-connection.ts";
import type { SimulatedClient } from "./model.ts";

export interface SimulationOptions extends ConnectionSettings {
  intervalMs: number;
  /** Rounds of readings of each client, after which the simulation ends. */
  count: number;
  /** The simulation ends after this time. */
  forMs: number;
  onTraffic: (traffic: Traffic) => void;
  /** A connection was lost, or is back. */
  onConnection: (name: string, state: "lost" | "restored") => void;
  /** All clients are connected and have sent their first messages. */
  onReady: () => void;
}

const CONNECT_MS = 15_000;
/** The longest time that one timer of Node.js can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Runs until the signal, the time or the count ends it. @throws BrokerError if the first connections fail */
export async function simulate(
  clients: readonly SimulatedClient[],
  options: SimulationOptions,
  signal: AbortSignal,
): Promise<void> {
  const connections = clients.map((client) => new ClientConnection(client, options));
  try {
    await withDeadline(
      Promise.race([Promise.all(connections.map((each) => each.open())), aborted(signal)]),
      CONNECT_MS,
      () => new BrokerError(`the broker at ${new URL(options.url).host} does not respond`, false),
    );
    if (signal.aborted) return;
    options.onReady();
    await run(connections, options, signal);
  } finally {
    await Promise.all(connections.map((each) => each.close()));
  }
}

async function run(connections: ClientConnection[], options: SimulationOptions, signal: AbortSignal): Promise<void> {
  const { intervalMs, count, forMs } = options;
  const end = new AbortController();
  const timer = setTimeout(() => end.abort(), Math.min(forMs, MAX_TIMER_MS));
  const either = AbortSignal.any([signal, end.signal]);
  // Each device listens to it while it waits.
  setMaxListeners(0, either);
  // Spread over the interval: devices in the field do not report at the same instant.
  const rounds = connections.map((each, i) => repeat(each, { firstMs: (i * intervalMs) / connections.length }));
  await Promise.race([Promise.all(rounds), aborted(either)]);
  clearTimeout(timer);
  end.abort();

  async function repeat(connection: ClientConnection, { firstMs }: { firstMs: number }): Promise<void> {
    let dueAt = performance.now() + firstMs;
    for (let round = 0; round < count; round++) {
      await wait(Math.max(0, dueAt - performance.now()), either);
      if (either.aborted) return;
      // Ended by force, the connection rejects what it has not sent.
      await connection.report().catch(() => undefined);
      // After an outage the device does not catch up.
      dueAt = Math.max(dueAt + intervalMs, performance.now());
    }
  }
}

/** Resolves after the time, or when the signal is aborted. */
function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
