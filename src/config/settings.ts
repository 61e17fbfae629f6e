/** The settings in effect, for operators: no value is a secret. */
import { type Config, redactUrl } from "./config.ts";
import type { Variables } from "./variables.ts";

/** Variable → value; null if it is absent, `set` in place of a secret. */
export type Settings = Record<keyof Variables, string | number | null>;

export function settingsOf(config: Config): Settings {
  const { http, mqtt, broker, portal } = config;
  return {
    HOST: http.host,
    PORT: http.port,
    API_KEY: masked(config.apiKey),
    DATA_DIR: config.dataDir,
    CONFIG_DIR: config.configuration?.folder ?? null,
    LOG_LEVEL: config.logLevel,
    MQTT_URL: url(mqtt.url),
    // Some brokers take an access token as the user name.
    MQTT_USERNAME: masked(mqtt.username),
    MQTT_PASSWORD: masked(mqtt.password),
    MQTT_CA: masked(mqtt.ca),
    MQTT_CERT: masked(mqtt.cert),
    MQTT_KEY: masked(mqtt.key),
    MQTT_ALPN: mqtt.alpn ?? null,
    MQTT_PROTOCOL: mqtt.protocol,
    MQTT_CLIENT_ID: mqtt.clientId,
    BROKER_HOST: broker.host,
    BROKER_PORT: broker.port,
    BROKER_USERNAME: masked(broker.username),
    BROKER_PASSWORD: masked(broker.password),
    STORE_URL: url(config.storeUrl),
    STORE_SYNC: config.storeSync,
    STORE_RESET: config.storeReset ? "accept" : null,
    SECRETS_KEY: config.secretsKeys.length > 0 ? "set" : null,
    ROLES: config.roles.join(","),
    WEBHOOK_ALLOW_NETWORKS: [...new Set(config.webhookAllowNetworks)].join(",") || null,
    MAX_PAYLOAD_BYTES: config.maxPayloadBytes,
    MAX_PENDING_REQUESTS: config.maxPendingRequests,
    MAX_WAITING_DELIVERIES: config.maxWaitingDeliveries,
    EVENT_SOURCE: config.eventSource,
    PUBLIC_URL: config.publicUrl ?? null,
    CORS_ORIGINS: http.corsOrigins.join(",") || null,
    EMBED_ORIGINS: http.embedOrigins.join(",") || null,
    PORTAL_LOGO: portal.logo?.path ?? null,
    PORTAL_ACCENT: portal.accent ?? null,
    BASE_PATH: http.basePath || null,
    TRUST_PROXY: String(http.trustProxy),
  };
}

function masked(value: string | undefined): "set" | null {
  return value === undefined ? null : "set";
}

function url(value: string | undefined): string | null {
  return value === undefined ? null : redactUrl(value);
}
