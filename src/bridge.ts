/** The architecture on one page: open the infrastructure, wire the parts, start them, listen. */
import { type Config, redactUrl } from "./config/config.ts";
import { Closing } from "./process/shutdown.ts";
import type { NewerDataError } from "./store/format.ts";
import { BREAKER, type BreakerPolicy } from "./uplink/health/circuit-breaker.ts";
import { wireApi } from "./wiring/api.ts";
import { wireBroker } from "./wiring/broker.ts";
import { wireConfiguration } from "./wiring/configuration.ts";
import { wireDeliver } from "./wiring/deliver.ts";
import { wireDownlink } from "./wiring/downlink.ts";
import { type Logs, openInfrastructure } from "./wiring/infrastructure.ts";
import { lifecycle, OPENED_MS } from "./wiring/lifecycle.ts";
import { wireLive } from "./wiring/live.ts";
import { wireOperations } from "./wiring/operations.ts";
import { wireQueues } from "./wiring/queues.ts";
import { wireReceive } from "./wiring/receive.ts";

export interface Bridge {
  /** Address of the API, e.g. `http://127.0.0.1:8080`. */
  address: string;
  /** The broker's address, without credentials; `none` if the roles need no broker. */
  broker: { url: string; embedded: boolean; wantedPort: boolean };
  store: "redis" | "embedded";
  /** Resolves when a newer bridge has locked this one out of the store; the bridge must then be stopped. */
  outdated: Promise<NewerDataError>;
  /** Closes all parts in order; takes at most about 15 s. Idempotent. */
  stop(): Promise<void>;
}

/** How long the start waits for the broker before it reports success. */
const BROKER_WAIT_MS = 2_000;
/** Interval at which a slow start logs its progress. */
const STARTING_MS = 10_000;

/**
 * Starts the bridge.
 * @param signal aborts the wait for an unavailable store
 * @param breaker for tests, which cannot wait ten minutes
 */
export async function startBridge(
  config: Config,
  apiKey: string,
  logs: Logs,
  signal?: AbortSignal,
  breaker: BreakerPolicy = BREAKER,
): Promise<Bridge> {
  const log = logs.logger;
  const closing = new Closing(log);
  const starting = setInterval(() => log.warn({ open: closing.open }, "still_starting"), STARTING_MS);
  try {
    const onOpen = (name: keyof typeof OPENED_MS, stop: () => unknown) =>
      closing.add({ name, stop, ms: OPENED_MS[name] });
    const infrastructure = await openInfrastructure(config, logs, onOpen, signal);
    const broker = wireBroker(infrastructure);
    const queues = wireQueues(infrastructure);
    const receive = wireReceive(infrastructure, broker, queues);
    const downlink = wireDownlink(infrastructure, broker, receive);
    const deliver = wireDeliver(infrastructure, queues, downlink, breaker);
    const live = wireLive(infrastructure, broker);
    const configuration = wireConfiguration(infrastructure, apiKey);
    const operations = wireOperations(infrastructure, broker, queues, receive, downlink, deliver, configuration);
    const flows = { infrastructure, broker, queues, receive, downlink, deliver, live, operations };
    const api = wireApi(flows, apiKey, closing.isClosing);
    await closing.start(lifecycle({ ...flows, api, configuration }));

    const { runs, store, embedded, outdated } = infrastructure;
    const url = redactUrl(infrastructure.broker.url);
    // Lets first requests succeed; an unavailable broker must not hold up the start.
    const soon = AbortSignal.timeout(BROKER_WAIT_MS);
    if (runs.connection)
      await broker.publisher.connection.untilConnected(soon).catch(() => log.warn({ broker: url }, "broker_away"));
    return {
      address: api.server.address!,
      broker: {
        url: runs.connection ? url : "none",
        embedded: embedded !== undefined,
        wantedPort: embedded?.wantedPort ?? true,
      },
      store: store.kind,
      outdated,
      stop: () => closing.closeAll(),
    };
  } catch (error) {
    await closing.closeAll();
    throw error;
  } finally {
    clearInterval(starting);
  }
}
