#!/usr/bin/env node
/** The process: configuration → bridge → signals. */
import closeWithGrace from "close-with-grace";
import { type Bridge, startBridge } from "./bridge.ts";
import { type Config, ConfigError, loadConfig, secretsOf } from "./config/config.ts";
import { CannotStartError } from "./errors.ts";
import { type ApiKey, resolveApiKey } from "./keys/api-key.ts";
import { growHeapSlowly, optimizeHttpParserLate } from "./lib/v8-flags.ts";
import { logConsole, openLog } from "./ops/log.ts";
import { banner } from "./process/banner.ts";
import { PROCESS_STOP_MS } from "./process/shutdown.ts";
import { hideSecrets, reasonOf } from "./security/redaction.ts";
import { enterDataDir } from "./store/data-dir.ts";

/** EX_CONFIG of sysexits.h: a restart without a change would fail again. */
const EX_CONFIG = 78;

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

/** Whether DATA_DIR contains persistent data: the store, the broker's data or the generated key. */
function keepsThere({ storeUrl, apiKey, mqtt, roles }: Config): boolean {
  const needsBroker = roles.some((role) => role !== "delivery");
  return !storeUrl || !apiKey || (needsBroker && !mqtt.url);
}

const config = readConfig();
hideSecrets(secretsOf(config));
const lines = openLog(config.logLevel);
logConsole(lines);
const log = lines.logger;
const starting = new AbortController();
let bridge: Bridge | undefined;
let outdated: Error | undefined;

const grace = closeWithGrace({ delay: PROCESS_STOP_MS }, async ({ err, signal }) => {
  if (err) log.fatal({ err }, "crashed");
  else log.info({ signal }, "stopping");
  starting.abort(new Error("stopped while starting"));
  await bridge?.stop();
  log.info("stopped");
  lines.close();
  if (outdated) process.exit(EX_CONFIG);
});

try {
  await enterDataDir(config.dataDir, undefined, keepsThere(config));
  const apiKey: ApiKey = await resolveApiKey(config.apiKey, config.dataDir);
  hideSecrets([apiKey.key]);
  bridge = await startBridge(config, apiKey.key, lines, starting.signal);
  growHeapSlowly();
  optimizeHttpParserLate();
  const { address, broker, store } = bridge;
  log.info({ address, broker: broker.url, store, roles: config.roles }, "started");
  lines.flush();
  process.stdout.write(banner({ bridge, apiKey, config }));
  void bridge.outdated.then((error) => {
    outdated = error;
    process.stderr.write(`Causeway cannot go on: ${reasonOf(error)}\n`);
    grace.close();
  });
} catch (error) {
  if (!starting.signal.aborted) {
    const isConfig = error instanceof CannotStartError || (error as NodeJS.ErrnoException).code === "EADDRINUSE";
    process.stderr.write(`Causeway cannot start: ${reasonOf(error)}\n`);
    if (!isConfig) log.fatal({ err: error }, "start_failed");
    lines.flush();
    process.exit(isConfig ? EX_CONFIG : 1);
  }
}
