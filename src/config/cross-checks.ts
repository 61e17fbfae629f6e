/** Checks dependencies between variables. */
import ipaddr from "ipaddr.js";
import { formats, hasScheme, type Mistakes, PEMS, type Raw, rolesOf } from "./variables.ts";

/** Checks only the presence of variables, so that no mistake is listed twice. */
export function crossCheck(raw: Raw, mistakes: Mistakes): void {
  const need = (name: string, wanted: string, why: string) => {
    if (raw[name] && !raw[wanted]) mistakes.set(wanted, `is required ${why}`);
  };
  need("MQTT_CERT", "MQTT_KEY", "with MQTT_CERT");
  need("MQTT_KEY", "MQTT_CERT", "with MQTT_KEY");
  need("MQTT_PASSWORD", "MQTT_USERNAME", "with a password"); // [MQTT-3.1.2-22] of 3.1.1
  need("BROKER_USERNAME", "BROKER_PASSWORD", "with BROKER_USERNAME");
  need("BROKER_PASSWORD", "BROKER_USERNAME", "with BROKER_PASSWORD");
  if (!raw.MQTT_URL && raw.BROKER_HOST && !isLoopback(raw.BROKER_HOST)) {
    const why = "because BROKER_HOST is not a loopback address: anyone could publish to your devices";
    need("BROKER_HOST", "BROKER_USERNAME", why);
    need("BROKER_HOST", "BROKER_PASSWORD", why);
  }
  checkRoles(raw, mistakes);
  if (raw.MQTT_ALPN && !hasScheme(raw.MQTT_URL ?? "", ["mqtts:"])) {
    mistakes.set("MQTT_ALPN", "is only used with MQTT over TLS: MQTT_URL must have the scheme mqtts");
  }
  for (const name of PEMS) {
    if (raw[name] && !hasScheme(raw.MQTT_URL ?? "", ["mqtts:", "wss:"])) {
      mistakes.set(name, "is only used with TLS: MQTT_URL must have the scheme mqtts or wss");
    }
  }
}

/** An embedded store or broker belongs to one process; processes that split the roles need a server for each. */
function checkRoles(raw: Raw, mistakes: Mistakes): void {
  if (!raw.ROLES || !formats.roles!(raw.ROLES)) return;
  const roles = rolesOf(raw.ROLES);
  const all = rolesOf();
  if (roles.length < all.length && !raw.STORE_URL) {
    const why = "the embedded store is one process's, and processes that share the work need STORE_URL";
    mistakes.set("ROLES", `must be ${all.join()} without STORE_URL: ${why}`);
  } else if (roles.includes("api") !== roles.includes("uplink") && !raw.MQTT_URL) {
    const why = "the embedded broker is one process's, and api and uplink in two need MQTT_URL";
    mistakes.set("ROLES", `must name both api and uplink, or neither, without MQTT_URL: ${why}`);
  }
}

function isLoopback(host: string): boolean {
  return host === "localhost" || (ipaddr.isValid(host) && ipaddr.process(host).range() === "loopback");
}
