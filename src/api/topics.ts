/** Handlers for topics: raw payloads and retained messages. */
import type { Publish } from "../downlink/publish.ts";
import type { FindRetained, ReadRetained, ReadSeveral } from "../downlink/retained.ts";
import { listRetained } from "../downlink/retained-list.ts";
import { getRetained, publishToTopic } from "../downlink/topics.ts";
import type { Handlers } from "../http/contract/index.ts";
import { unwrap } from "../http/problem.ts";
import { checkPublish, checkRead } from "../keys/caller.ts";

export interface TopicPorts {
  publish: Publish;
  readRetained: ReadRetained;
  findRetained: FindRetained;
  readSeveral: ReadSeveral;
  maxPayloadBytes: number;
}

export function topicHandlers(ports: TopicPorts) {
  return {
    listRetained: async ({ query, caller }) =>
      unwrap(await listRetained(query, { ...ports, check: (filter, path) => checkRead(caller, filter, path) })),
    getRetained: async (request, reply) => {
      const { topic } = request.params;
      unwrap(checkRead(request.caller, topic, "topic"));
      const found = unwrap(await getRetained(topic, request.headers["if-none-match"], ports.readRetained));
      const { status, body, headers } = found;
      return reply.code(status).headers(headers).send(body);
    },
    publishToTopic: async ({ caller, params: { topic }, query: { qos, retain, expirySeconds }, body, headers }) => {
      unwrap(checkPublish(caller, topic, "topic"));
      const contentType = headers["content-type"];
      return unwrap(await publishToTopic({ topic, body, contentType, qos, retain, expirySeconds }, ports));
    },
    retainTopic: async ({ caller, params: { topic }, query: { qos, expirySeconds }, body, headers }) => {
      unwrap(checkPublish(caller, topic, "topic"));
      const contentType = headers["content-type"];
      return unwrap(await publishToTopic({ topic, body, contentType, qos, retain: true, expirySeconds }, ports));
    },
    // An empty retained message clears the topic (MQTT 5 section 3.3.1.3).
    clearTopic: async ({ caller, params: { topic }, query: { qos } }) => {
      unwrap(checkPublish(caller, topic, "topic"));
      return unwrap(await publishToTopic({ topic, body: Buffer.alloc(0), qos, retain: true }, ports));
    },
  } satisfies Partial<Handlers>;
}
