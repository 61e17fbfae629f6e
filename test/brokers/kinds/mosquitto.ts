import { startMosquitto } from "../../support/mosquitto.ts";
import { type BrokerKind, lacking } from "./kind.ts";

/** @param setting MQTT_PROTOCOL of the bridge; `auto` selects MQTT 5 here */
export function mosquitto(protocol: "5" | "3.1.1", setting: "auto" | "3.1.1"): BrokerKind {
  return {
    id: `mosquitto-${protocol}`,
    title: `Mosquitto, MQTT ${protocol}`,
    protocol,
    bridge: { MQTT_PROTOCOL: setting },
    missing: () => lacking("mosquitto", "redis-server"),
    async start() {
      const broker = await startMosquitto({ persistence: true });
      const [, version] = await broker.waitForLog(/mosquitto version (\S+)/);
      return {
        url: broker.url,
        version: `Mosquitto ${version}`,
        restart: () => broker.restart(),
        stop: () => broker.stop(),
      };
    },
  };
}
