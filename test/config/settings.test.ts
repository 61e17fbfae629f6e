/** The settings that operators see. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { loadConfig } from "../../src/config/config.ts";
import { settingsOf } from "../../src/config/settings.ts";
import { rules } from "../../src/config/variables.ts";

const of = (env: Record<string, string>) => settingsOf(loadConfig(env, { envFile: false }));

describe("the settings in effect", () => {
  it("have every variable, with its default", () => {
    const settings = of({});
    assert.deepEqual(Object.keys(settings).sort(), Object.keys(rules).sort());
    const { HOST, PORT, ROLES, WEBHOOK_ALLOW_NETWORKS, MQTT_URL, API_KEY, TRUST_PROXY } = settings;
    assert.deepEqual(
      { HOST, PORT, ROLES, WEBHOOK_ALLOW_NETWORKS, MQTT_URL, API_KEY, TRUST_PROXY },
      {
        ...{ HOST: "127.0.0.1", PORT: 8080, ROLES: "api,uplink,delivery", MQTT_URL: null, API_KEY: null },
        ...{ WEBHOOK_ALLOW_NETWORKS: "127.0.0.0/8,::1/128", TRUST_PROXY: "false" },
      },
    );
  });

  it("have no secret", () => {
    const secrets = {
      API_KEY: "key-0123456789-hidden",
      MQTT_PASSWORD: "password-hidden",
      BROKER_PASSWORD: "broker-hidden",
      SECRETS_KEY: `${"k".repeat(32)}-hidden`,
    };
    const settings = of({
      ...secrets,
      MQTT_URL: "wss://user-hidden:other-hidden@broker/mqtt?token=hidden",
      STORE_URL: "redis://user-hidden:store-hidden@redis:6379/1?password=hidden",
      BROKER_USERNAME: "hidden",
    });
    assert.doesNotMatch(JSON.stringify(settings), /hidden/);
    for (const name of Object.keys(secrets)) assert.equal(settings[name as keyof typeof secrets], "set", name);
    assert.equal(settings.MQTT_USERNAME, "set");
    assert.equal(settings.MQTT_URL, "wss://broker/mqtt");
    assert.equal(settings.STORE_URL, "redis://redis:6379/1");
  });
});
