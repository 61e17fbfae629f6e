/** Reads the embedded broker's retained messages from its store: exact and without a network query. */
import type { LevelPersistence } from "aedes-persistence-level";
import type { FindRetained, ReadRetained, ReadSeveral, RetainedMessage } from "../../downlink/retained.ts";
import { matches } from "../../topic.ts";
import { Collected } from "../client/retained-finder.ts";

export function retainedStore(persistence: Pick<LevelPersistence, "createRetainedStream">): {
  retained: ReadRetained;
  findRetained: FindRetained;
  readSeveral: ReadSeveral;
} {
  /** Yields what the store's matcher finds, which may include topics that the pattern does not match. */
  async function* under(pattern: string): AsyncGenerator<RetainedMessage> {
    for await (const { topic, payload, qos } of persistence.createRetainedStream(pattern)) {
      if (payload.length > 0) yield { topic, payload: Buffer.from(payload), qos };
    }
  }

  return {
    async retained(topic) {
      for await (const message of under(topic)) if (message.topic === topic) return message;
      return undefined;
    },

    async findRetained(filter) {
      const collected = new Collected();
      for await (const { topic } of under(filter)) {
        // The store's matcher lets a leading wildcard match topics that begin with $.
        if (matches(filter, topic)) collected.add(topic);
        if (collected.full) break;
      }
      return { topics: collected.topics, truncated: collected.full };
    },

    async *readSeveral(topics) {
      if (topics.length === 0) return;
      const wanted = new Set(topics);
      const found = new Map<string, RetainedMessage>();
      // One pass over the store, which has no index by pattern; to its matcher, # matches every topic.
      for await (const { topic, payload, qos } of persistence.createRetainedStream("#")) {
        if (wanted.has(topic)) found.set(topic, { topic, payload: Buffer.from(payload), qos });
      }
      for (const topic of topics) {
        const message = found.get(topic);
        if (message) yield message;
      }
    },
  };
}
