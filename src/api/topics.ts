/** Handlers for topics: raw payloads and retained messages. */
import type { Publish } from "../downlink/publish.ts";
import type { FindRetained, ReadRetained, ReadSeveral } from "../downlink/retained.ts";
import { listRetained } from "../downlink/retained-list.ts";
import { getRetained, publishToTopic } from "../downlink/topics.ts";
import type { Handlers } from "../http/contract/index.ts";
import { requirePublish, requireRead } from "../keys/caller.ts";

export interface TopicPorts {
  publish: Publish;
  readRetained: ReadRetained;
  findRetained: FindRetained;
  readSeveral: ReadSeveral;
  maxPayloadBytes: number;
}

type TopicOperation = "listRetained" | "getRetained" | "publishToTopic" | "retainTopic" | "clearTopic";

export function topicHandlers(ports: TopicPorts): Pick<Handlers, TopicOperation> {
  return {
    listRetained: ({ query, caller }) =>
      listRetained(query, { ...ports, check: (filter) => requireRead(caller, filter, "query.filter") }),
    getRetained: async (request, reply) => {
      const { topic } = request.params;
      requireRead(request.caller, topic, "topic");
      const { status, body, headers } = await getRetained(topic, request.headers["if-none-match"], ports.readRetained);
      return reply.code(status).headers(headers).send(body);
    },
    publishToTopic: ({ caller, params: { topic }, query: { qos, retain, expirySeconds }, body, headers }) => {
      requirePublish(caller, topic, "topic");
      return publishToTopic({ topic, body, contentType: headers["content-type"], qos, retain, expirySeconds }, ports);
    },
    retainTopic: ({ caller, params: { topic }, query: { qos, expirySeconds }, body, headers }) => {
      requirePublish(caller, topic, "topic");
      const contentType = headers["content-type"];
      return publishToTopic({ topic, body, contentType, qos, retain: true, expirySeconds }, ports);
    },
    // An empty retained message clears the topic (MQTT 5 section 3.3.1.3).
    clearTopic: ({ caller, params: { topic }, query: { qos } }) => {
      requirePublish(caller, topic, "topic");
      return publishToTopic({ topic, body: Buffer.alloc(0), qos, retain: true }, ports);
    },
  };
}
