/** Clients of a broker. */
import { connectAsync, type MqttClient } from "mqtt";

/** Connects a device or an observer to the broker. */
export function connectTo(url: string, protocolVersion: 4 | 5 = 4): Promise<MqttClient> {
  return connectAsync(url, { protocolVersion });
}
