/** Banner printed at startup: addresses, API key, broker and store, and three commands to try. */

import type { Config } from "../config/config.ts";
import type { ApiKey } from "../keys/api-key.ts";

interface Started {
  bridge: { address: string; broker: { url: string; embedded: boolean; wantedPort: boolean }; store: string };
  apiKey: ApiKey;
  config: Config;
}

export function banner(started: Started): string {
  const { bridge, apiKey, config } = started;
  const { broker, store } = bridge;
  const address = bridge.address + config.http.basePath;
  if (!config.roles.includes("api")) return withoutApi(started);
  const { port, hostname } = new URL(broker.url);
  const mosquitto = `-h ${hostname} -p ${port || "1883"}`;
  const keyFile = apiKey.file ?? config.apiKeyFile;
  const auth = `-H "Authorization: Bearer ${keyFile ? `$(cat ${shellQuote(keyFile)})` : "$API_KEY"}"`;
  const lines = [
    "",
    "  Causeway is up.",
    "",
    `  Dashboard  ${address}/`,
    `  API        ${address}   (documents: ${address}/docs)`,
    `  API key    ${keyLine(apiKey, config)}`,
    `  Broker     ${broker.url}${broker.embedded ? "   (embedded, MQTT 3.1.1)" : ""}`,
    `  Store      ${store === "embedded" ? `embedded, in ${config.dataDir}` : "Redis"}`,
    ...(broker.wantedPort
      ? []
      : [
          "",
          `  NOTE: port ${config.broker.port} is taken by another program, so the embedded broker listens on ${port}.`,
          `        Is that another broker you meant to use? Then set MQTT_URL=mqtt://127.0.0.1:${config.broker.port}.`,
        ]),
    "",
    "  Try it:",
    "",
    "  1. Listen as a device:",
    `     mosquitto_sub ${mosquitto} -t 'demo/#' -v`,
    "  2. Send it a message over HTTP:",
    `     curl ${address}/v1/topics/demo/hello ${auth} -H 'content-type: text/plain' -d 'hello device'`,
    "  3. Have what devices send to demo/up posted to a URL of yours:",
    `     curl ${address}/v1/webhooks ${auth} -H 'content-type: application/json' -d '{"url":"http://127.0.0.1:9000/","topics":["demo/up"]}'`,
    "",
    "",
  ];
  return lines.join("\n");
}

/** Banner of a process without the API, for its operators only. */
function withoutApi({ bridge: { address, broker }, apiKey, config }: Started): string {
  const lines = [
    "",
    "  Causeway is up.",
    "",
    `  Roles      ${config.roles.join(", ")}   (the API is served by processes with the role api)`,
    `  Health     ${address}/readyz`,
    `  API key    ${keyLine(apiKey, config)}`,
    `  Broker     ${broker.url}`,
    "  Store      Redis",
    "",
    "",
  ];
  return lines.join("\n");
}

function keyLine({ key, file, isNew }: ApiKey, { apiKeyFile }: Config): string {
  if (!file) return apiKeyFile ? `as given in ${apiKeyFile}` : "as given in API_KEY";
  return isNew ? `${key}   (shown this once, kept in ${file})` : `kept in ${file}`;
}

function shellQuote(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
