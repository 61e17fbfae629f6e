/**
 * The configuration of this machine, and the broker, the store and the ports that it names. Loaded only by
 * `causeway doctor`: the clients of broker and store are large.
 */

import { type Finding, failed, ok } from "../../client/doctor/finding.ts";
import type { Causeway } from "../../client/index.ts";
import { type Config, ConfigError, loadConfig } from "../../config/config.ts";
import type { BrokerAddress } from "../../mqtt/client/connection.ts";
import { checkBroker } from "./broker-check.ts";
import { checkMachine } from "./machine-checks.ts";
import { checkRedis } from "./store-check.ts";
import { checkWebhookUrl } from "./url-check.ts";

interface LocalChecks {
  env: Record<string, string | undefined>;
  topic: string | undefined;
  webhookUrl: string | undefined;
  /** Whether the bridge is on this machine. */
  isLocal: boolean;
  /** Port of the bridge that answers; undefined if none does. */
  port: number | undefined;
  brokerUrl: string | undefined;
  /** Absent: the bridge cannot be asked. */
  causeway: Causeway | undefined;
}

export async function* checkLocally(checks: LocalChecks): AsyncGenerator<Finding, void, undefined> {
  let config: Config;
  try {
    config = loadConfig(checks.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const { name, message } of error.errors) {
      yield failed(
        "configuration",
        `${name}: ${message}`,
        "Correct it in the environment or in .env: docs/configuration.md.",
      );
    }
    return;
  }
  const { isLocal, port, brokerUrl, topic, webhookUrl, causeway } = checks;
  if (isLocal) {
    yield ok("configuration", "valid");
    yield* await checkMachine(config, { port, brokerUrl });
    if (config.storeUrl !== undefined) yield* await checkRedis(config.storeUrl);
    const broker = brokerOf(config, brokerUrl);
    if (broker) yield* await checkBroker(broker, topic);
  }
  if (webhookUrl !== undefined) yield await checkWebhookUrl(webhookUrl, causeway, config);
}

/** The configured broker, or the embedded one of the running bridge. */
function brokerOf({ mqtt, broker }: Config, running: string | undefined): BrokerAddress | undefined {
  if (mqtt.url !== undefined) return { ...mqtt, url: mqtt.url };
  if (running === undefined) return undefined;
  const { username, password } = broker;
  return { url: running, username, password, protocol: "3.1.1" };
}
