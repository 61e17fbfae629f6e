/** Cloud → device. */
import type { TestBridge } from "../../support/bridge.ts";
import { inTime, type Scenario } from "../world.ts";

export const downlink: Scenario[] = [
  ...([0, 1, 2] as const).map(
    (qos): Scenario => ({
      title: `\`POST /v1/messages\` with QoS ${qos}, a device gets it`,
      async run(world) {
        const device = await world.device();
        await device.subscribe(`down/${qos}`, 2);
        const { status, body } = await world.bridge.api("POST", "/v1/messages", {
          topic: `down/${qos}`,
          payload: "it",
          qos,
        });
        if (status !== 200) {
          // An uncompleted message may have been delivered: if so, it arrives before a later message.
          await world.bridge.api("POST", "/v1/messages", { topic: `down/${qos}`, payload: "after", qos: 1 });
          await device.got("after");
          const came = device.messages.some(({ payload }) => payload === "it");
          return `\`${status} ${body.code}\`; the device gets ${came ? "it all the same" : "nothing"}`;
        }
        const message = await device.got("it");
        return `\`${body.outcome}\`${message.qos === qos ? "" : `, as QoS ${message.qos}`}`;
      },
    }),
  ),
  {
    title: "Nobody subscribes: `noMatchingSubscribers`",
    async run({ bridge }) {
      const { body } = await bridge.api("POST", "/v1/messages", { topic: "down/nobody", payload: "?" });
      return `\`${body.noMatchingSubscribers}\``;
    },
  },
  {
    title: "A device with a persistent session gets what was sent while it was away",
    async run(world) {
      const session = { clean: false, clientId: `device-${world.kind.id}` };
      const device = await world.device(session);
      await device.subscribe("down/away", 1);
      await device.end();
      const payloads = ["one", "two", "three"];
      for (const payload of payloads) {
        const { body } = await world.bridge.api("POST", "/v1/messages", { topic: "down/away", payload, qos: 1 });
        if (body.outcome !== "acknowledged") return `publishing answers ${JSON.stringify(body)}`;
      }
      const back = await world.device(session);
      for (const payload of payloads) await back.got(payload);
      return "yes";
    },
  },
  {
    title: "`POST /v1/requests`, answered on the response topic of MQTT 5",
    async run(world) {
      const device = await world.device();
      device.client.on("message", (_topic, payload, { properties }) => {
        if (!properties?.responseTopic) return;
        const { responseTopic, correlationData } = properties;
        device.client.publish(responseTopic, `${payload}!`, { qos: 1, properties: { correlationData } });
      });
      await device.subscribe("down/ask");
      return answerOf(world.bridge, { topic: "down/ask", payload: "who", timeoutSeconds: 3 }, "who!");
    },
  },
  {
    title: "`POST /v1/requests`, answered on a topic with `{requestId}`",
    async run(world) {
      const device = await world.device();
      device.client.on("message", (topic, payload) => {
        device.client.publish(topic.replace("requests", "responses"), `${payload}!`, { qos: 1 });
      });
      await device.subscribe("down/requests/+");
      const topics = { topic: "down/requests/{requestId}", responseTopic: "down/responses/{requestId}" };
      return answerOf(world.bridge, { ...topics, payload: "who", timeoutSeconds: 20 }, "who!");
    },
  },
];

async function answerOf(bridge: TestBridge, request: object, expected: string): Promise<string> {
  const { status, body } = await inTime("an answer", bridge.api("POST", "/v1/requests", request));
  if (status !== 200) return `\`${status} ${body.code}\``;
  return body.response.payload === expected ? "yes" : `another answer: ${body.response.payload}`;
}
