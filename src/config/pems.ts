/** Certificates and keys, as PEM text or as paths of PEM files. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { isPem, type Mistakes, PEMS, type Raw } from "./variables.ts";

/** Replaces paths of PEM files with their text. Messages do not repeat a path: it could be a mangled key. */
export function readPems(raw: Raw, mistakes: Mistakes): void {
  for (const name of PEMS) {
    const value = raw[name];
    if (!value) continue;
    try {
      raw[name] = isPem(value) ? value.replaceAll("\\n", "\n") : readFileSync(value, "utf8");
    } catch (error) {
      delete raw[name];
      mistakes.set(name, `is neither PEM text nor a file that can be read (${(error as NodeJS.ErrnoException).code})`);
    }
  }
  const { MQTT_CA: ca, MQTT_CERT: cert, MQTT_KEY: key } = raw;
  // Otherwise tls.connect would throw, or silently ignore a CA, in the middle of a reconnect.
  const check = (name: string, message: string, use: () => unknown) => {
    try {
      use();
    } catch {
      mistakes.set(name, message);
    }
  };
  if (ca && isPem(ca)) check("MQTT_CA", "holds no valid certificate", () => new X509Certificate(ca));
  if (cert && isPem(cert)) check("MQTT_CERT", "holds no valid certificate", () => new X509Certificate(cert));
  if (cert && isPem(cert) && key && isPem(key) && !mistakes.has("MQTT_CERT")) {
    check("MQTT_KEY", "is not the unencrypted key of MQTT_CERT", () => createSecureContext({ cert, key }));
  }
}
