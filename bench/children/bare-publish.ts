/** Baseline for the downlink: Fastify and MQTT.js with nothing between them. */
import Fastify from "fastify";
import { connectAsync } from "mqtt";
import { answer, setting } from "./answer.ts";

interface Body {
  topic: string;
  payload: string;
  qos: 0 | 1 | 2;
}

const client = await connectAsync(setting("MQTT_URL"), { protocolVersion: 5 });
const app = Fastify();
app.post<{ Body: Body }>("/v1/messages", async ({ body: { topic, payload, qos } }) => {
  await new Promise<void>((resolve, reject) => {
    client.publish(topic, payload, { qos }, (error) => (error ? reject(error) : resolve()));
  });
  return { topic, qos, outcome: qos === 0 ? "sent" : "acknowledged" };
});
const address = await app.listen({ host: "127.0.0.1", port: 0 });
answer({ address: () => address });
