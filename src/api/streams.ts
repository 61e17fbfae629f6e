/** Handler for streams of messages. */
import type { OutgoingHttpHeaders } from "node:http";
import { refuseField } from "../errors.ts";
import type { Handlers } from "../http/contract/index.ts";
import { unwrap } from "../http/problem.ts";
import { checkRead } from "../keys/caller.ts";
import type { Streams } from "../live/sse.ts";
import { topicFilterError } from "../topic.ts";
import type { KeyCheck } from "./key-check.ts";

export interface StreamPorts extends KeyCheck {
  streams: Pick<Streams, "open">;
}

/** Keeps proxies from caching or buffering the stream. */
const STREAM_HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  "x-accel-buffering": "no",
};

export function streamHandlers(ports: StreamPorts) {
  return {
    openStream: async (request, reply) => {
      const { caller, query } = request;
      const topics = [query.topic].flat();
      for (const [i, topic] of topics.entries()) {
        const wrong = topicFilterError(topic);
        const path = `query.topic[${i}]`;
        unwrap(wrong ? refuseField("invalid_topic_filter", path, wrong) : checkRead(caller, topic, path));
      }
      const start = () => {
        reply.hijack();
        const headers = { ...reply.getHeaders(), ...STREAM_HEADERS } as OutgoingHttpHeaders;
        return reply.raw.writeHead(200, headers);
      };
      unwrap(await ports.streams.open(topics, start, () => ports.isValid(request)));
      return reply;
    },
  } satisfies Partial<Handlers>;
}
