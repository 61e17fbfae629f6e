/** Baseline for batches: MQTT.js publishing in a loop and waiting for the callbacks of each burst. */
import { connectAsync } from "mqtt";
import { answer, setting } from "./answer.ts";

const client = await connectAsync(setting("MQTT_URL"), { protocolVersion: 5 });

function burst(topic: string, payload: string, size: number): Promise<void> {
  let left = size;
  return new Promise((resolve, reject) => {
    for (let i = 0; i < size; i++) {
      client.publish(topic, payload, { qos: 0 }, (error) => {
        if (error) reject(error);
        else if (--left === 0) setImmediate(resolve);
      });
    }
  });
}

answer({
  /** Messages per second over `duration` seconds. */
  async publish({ topic, payload, size, duration }) {
    const startedAt = performance.now();
    const seconds = () => (performance.now() - startedAt) / 1_000;
    let count = 0;
    while (seconds() < Number(duration)) {
      await burst(String(topic), String(payload), Number(size));
      count += Number(size);
    }
    return count / seconds();
  },
});
