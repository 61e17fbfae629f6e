/** Protocol version that the bridge detects, and the time it takes. */
import type { Scenario } from "../world.ts";

/** Limit, including the process start, on a busy machine; Mosca's silence alone takes ten seconds. */
const CONNECT_SECONDS = 30;

export const connect: Scenario[] = [
  {
    title: "The bridge connects with MQTT",
    async run({ bridge, kind }, note) {
      const { body } = await bridge.api("GET", "/v1/status");
      const set = (kind.bridge.MQTT_PROTOCOL ?? "auto") !== "auto" ? " (set)" : "";
      await bridge.waitForOutput(/"mqtt_connected"/); // the log may arrive after the response
      const seconds = secondsToConnect(bridge.output);
      note(`connected ${seconds} s after the start`);
      if (seconds > CONNECT_SECONDS) return `${body.broker.protocol}${set}, after ${seconds} s`;
      return `${body.broker.protocol}${set}`;
    },
  },
];

/** Returns the seconds from the first log line to the last connection. */
function secondsToConnect(log: string): number {
  const lines = log.split("\n").filter((line) => line.startsWith("{"));
  const entries = lines.map((line) => JSON.parse(line) as { time: string; msg: string });
  const connected = entries.filter(({ msg }) => msg === "mqtt_connected").at(-1);
  return (Date.parse(connected!.time) - Date.parse(entries[0]!.time)) / 1_000;
}
