/** Values that often break programs: texts by field name, and JSON values for any place. */
import { DEEP_FILTERS, DEEP_TOPICS, EXPRESSIONS, HEADERS, NUMBERS, TEXTS, TOPICS, URLS } from "./corpus.ts";
import type { Random } from "./random.ts";

/** Groups of values that `--without` excludes. */
export const GROUPS = ["deep", "reserved", "expressions"] as const;
export type Group = (typeof GROUPS)[number];

export interface Hostile {
  /** Returns a text for a field of this name. */
  text(random: Random, field: string): string;
  /** Returns any JSON value, or one that exists only in JavaScript. */
  json(random: Random, field: string): unknown;
}

const NAMES: Record<string, readonly string[]> = {
  topic: TOPICS,
  topics: TOPICS,
  read: TOPICS,
  publish: TOPICS,
  responseTopic: TOPICS,
  replyTopic: TOPICS,
  url: URLS,
  tokenUrl: URLS,
  filter: EXPRESSIONS,
  transform: EXPRESSIONS,
  payload: EXPRESSIONS,
  headers: HEADERS,
};
/** Fields with topics or topic filters; the query parameter `filter` differs from the `filter` of a webhook. */
const TOPIC_FIELDS = ["topic", "topics", "read", "publish", "responseTopic", "replyTopic", "query.filter"];

export function hostileValues(without: ReadonlySet<Group>): Hostile {
  function text(random: Random, field: string): string {
    if (random.chance(0.35)) return random.pick(TEXTS);
    const isTopic = TOPIC_FIELDS.includes(field);
    if (isTopic && !without.has("deep") && random.chance(0.3)) return random.pick([...DEEP_TOPICS, ...DEEP_FILTERS]);
    const named = isTopic ? TOPICS : NAMES[field];
    if (named === undefined || (named === EXPRESSIONS && without.has("expressions"))) return random.pick(TEXTS);
    const value = random.pick(named);
    return isTopic && value.startsWith("$") && without.has("reserved") ? "fuzz/reserved" : value;
  }

  function json(random: Random, field: string): unknown {
    switch (random.below(9)) {
      case 0:
        return null;
      case 1:
        return random.chance(0.5);
      case 2:
        return random.pick(NUMBERS);
      case 3:
        return [];
      case 4:
        return {};
      case 5:
        return [json(random, field), json(random, field)];
      case 6: {
        // `__proto__` as an own property, as JSON.parse creates it.
        const fields = [text(random, "headers"), "__proto__", "constructor"];
        return Object.fromEntries(fields.map((name) => [name, text(random, field)]));
      }
      default:
        return text(random, field);
    }
  }
  return { text, json };
}
