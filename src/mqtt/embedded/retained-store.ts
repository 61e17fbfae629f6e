/** Reads the embedded broker's retained messages from its store: exact and without a network query. */
import type { FindRetained, ReadRetained, ReadSeveral, RetainedMessage } from "../../downlink/retained.ts";
import { Collected } from "../client/retained-finder.ts";
import type { SqlitePersistence } from "./sqlite-persistence.ts";

/** Topics read together; a payload may have more than a megabyte. */
const PAGE = 50;

export function retainedStore(persistence: Pick<SqlitePersistence, "createRetainedStream">): {
  retained: ReadRetained;
  findRetained: FindRetained;
  readSeveral: ReadSeveral;
} {
  const retained: ReadRetained = async (topic) => {
    for await (const { payload, qos } of persistence.createRetainedStream(topic) as AsyncIterable<RetainedMessage>) {
      return { topic, payload: Buffer.from(payload), qos };
    }
    return undefined;
  };

  return {
    retained,

    async findRetained(filter) {
      const collected = new Collected();
      for await (const { topic } of persistence.createRetainedStream(filter) as AsyncIterable<RetainedMessage>) {
        collected.add(topic);
        if (collected.full) break;
      }
      return { topics: collected.topics, truncated: collected.full };
    },

    async *readSeveral(topics) {
      for (let from = 0; from < topics.length; from += PAGE) {
        const messages = await Promise.all(topics.slice(from, from + PAGE).map(retained));
        for (const message of messages) if (message) yield message;
      }
    },
  };
}
