/** Baseline for the intake: MQTT.js awaiting BullMQ's `add` for each message before its PUBACK. */
import { Queue } from "bullmq";
import { connectAsync } from "mqtt";
import { answer, setting } from "./answer.ts";

const redis = new URL(setting("REDIS_URL"));
const queue = new Queue(setting("QUEUE"), { connection: { host: redis.hostname, port: Number(redis.port) } });
await queue.waitUntilReady();

const client = await connectAsync(setting("MQTT_URL"), {
  protocolVersion: 5,
  clientId: "bare-intake",
  clean: false,
  properties: { receiveMaximum: Number(setting("RECEIVE_MAXIMUM")), sessionExpiryInterval: 600 },
});
client.handleMessage = ({ topic, payload, qos }, done) => {
  queue.add("message", { topic, payload: payload.toString(), qos, receivedAt: Date.now() }).then(
    () => done(),
    (error: Error) => done(error),
  );
};
await client.subscribeAsync(setting("TOPIC"), { qos: 1 });
answer({ ready: () => true });
