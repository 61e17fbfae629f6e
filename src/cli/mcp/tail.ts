/** The tool `tail`: the messages of a few seconds. */
import type { CloudEvent } from "../../client/index.ts";
import type { Tool } from "./tool.ts";

const MAX_MESSAGES = 100;
/** Clients wait 60 s for a tool by default. */
const MAX_SECONDS = 55;

export const tail: Tool = {
  ...{ name: "tail", title: "Watch messages", operation: "openStream", effect: "read", isUntrusted: true },
  description: "Waits some seconds and returns the messages that arrived on the topics, as CloudEvents.",
  input: () => [
    {
      properties: {
        topics: {
          ...{ type: "array", minItems: 1, maxItems: 20, items: { type: "string", minLength: 1 } },
          description: "Topic filters; + matches one level, # all that follow.",
        },
        seconds: { type: "number", exclusiveMinimum: 0, maximum: MAX_SECONDS, default: 5 },
        messages: {
          ...{ type: "integer", minimum: 1, maximum: MAX_MESSAGES, default: 20 },
          description: "Ends earlier when this many have arrived.",
        },
      },
      required: ["topics"],
    },
  ],
  run: async (causeway, { topics, seconds = 5, messages = 20 }, { signal }) => {
    const items: CloudEvent[] = [];
    let note: string | undefined;
    const end = AbortSignal.any([signal, AbortSignal.timeout(seconds * 1_000)]);
    const onReconnect = () => {
      note = "the connection was lost for a moment: messages may be missing";
    };
    for await (const event of causeway.stream(topics, { signal: end, onReconnect })) {
      items.push(event);
      if (items.length >= messages) break;
    }
    return { items, ...(note !== undefined && { note }) };
  },
};
