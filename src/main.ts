#!/usr/bin/env node
/** The process: configuration → bridge → signals. */
import closeWithGrace from "close-with-grace";
import { pino } from "pino";
import { type ApiKey, resolveApiKey } from "./api-key.ts";
import { banner } from "./banner.ts";
import { type Bridge, startBridge } from "./bridge.ts";
import { type Config, ConfigError, loadConfig } from "./config.ts";
import { StoreConfigError } from "./store/store.ts";

/** EX_CONFIG of sysexits.h: starting again without a change is of no use. */
const EX_CONFIG = 78;
/** Deliveries get 10 s to finish, everything else the rest. */
const STOP_MS = 15_000;

/** As pino's own `isoTime`, written once a millisecond and not once a line. */
let timeWritten = { at: 0, text: "" };
function isoTime(): string {
  const at = Date.now();
  if (at !== timeWritten.at) timeWritten = { at, text: `,"time":"${new Date(at).toISOString()}"` };
  return timeWritten.text;
}

function readConfig(): Config {
  try {
    return loadConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write("Causeway cannot start, the configuration is not valid:\n");
    for (const { name, message } of error.errors) process.stderr.write(`  ${name}: ${message}\n`);
    process.exit(EX_CONFIG);
  }
}

const config = readConfig();
// Lines are written in the background: a slow terminal must not slow down the messages.
const destination = pino.destination({ sync: false, minLength: 4_096 });
const log = pino({ level: config.logLevel, base: undefined, timestamp: isoTime }, destination);
const flushing = setInterval(() => destination.flush(), 500).unref();

const starting = new AbortController();
let bridge: Bridge | undefined;

closeWithGrace({ delay: STOP_MS }, async ({ err, signal }) => {
  if (err) log.fatal({ err }, "crashed");
  else log.info({ signal }, "stopping");
  starting.abort(new Error("stopped while starting"));
  await bridge?.stop();
  clearInterval(flushing);
  log.info("stopped");
  destination.flushSync();
});

try {
  const apiKey: ApiKey = await resolveApiKey(config.apiKey, config.dataDir);
  bridge = await startBridge(config, apiKey.key, log, starting.signal);
  const { address, broker, store } = bridge;
  log.info({ address, broker: broker.url, store }, "started");
  destination.flushSync();
  process.stdout.write(banner({ bridge, apiKey, config }));
} catch (error) {
  if (!starting.signal.aborted) {
    const isConfig = error instanceof StoreConfigError || (error as NodeJS.ErrnoException).code === "EADDRINUSE";
    process.stderr.write(`Causeway cannot start: ${(error as Error).message}\n`);
    if (!isConfig) log.fatal({ err: error }, "start_failed");
    destination.flushSync();
    process.exit(isConfig ? EX_CONFIG : 1);
  }
}
