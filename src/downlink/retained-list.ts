/** `GET /v1/topics?filter=`: lists the topics that hold a retained message, in pages. */
import { Refused, refuseField } from "../errors.ts";
import { decodeCursor, encodeCursor, refuseCursor } from "../lib/cursor.ts";
import { topicFilterError } from "../topic.ts";
import { etagOf, type FindRetained, type ReadSeveral, type RetainedMessage } from "./retained.ts";

export interface RetainedTopic {
  topic: string;
  qos: 0 | 1 | 2;
  /** Bytes. */
  payloadSize: number;
  contentType?: string;
  etag: string;
}

export interface RetainedPage {
  items: RetainedTopic[];
  nextCursor: string | null;
  truncated: boolean;
}

interface RetainedListPorts {
  /** Refuses a filter if the caller may not read everything that it matches. */
  check(filter: string, path: string): Refused | undefined;
  findRetained: FindRetained;
  readSeveral: ReadSeveral;
}

/**
 * Returns the topics in JavaScript string order; the cursor is the last topic of the page. Only the messages on the
 * page are read, so their `etag` equals that of the topic itself.
 */
export async function listRetained(
  { filter, limit, after }: { filter: string; limit: number; after?: string },
  { check, findRetained, readSeveral }: RetainedListPorts,
): Promise<RetainedPage | Refused> {
  const wrong = topicFilterError(filter);
  const refused = wrong ? refuseField("invalid_topic_filter", "query.filter", wrong) : check(filter, "query.filter");
  if (refused) return refused;
  const from = after === undefined ? "" : topicOf(after);
  if (from instanceof Refused) return from;
  const { topics, truncated } = await findRetained(filter);
  const rest = topics.filter((topic) => topic > from).sort();
  const page = rest.slice(0, limit);
  const items: RetainedTopic[] = [];
  // A message that was cleared since the search is missing.
  for await (const message of readSeveral(page)) items.push(summaryOf(message));
  return { items, nextCursor: rest.length > limit ? encodeCursor(page.at(-1)!) : null, truncated };
}

function summaryOf(message: RetainedMessage): RetainedTopic {
  const { topic, qos, payload, contentType } = message;
  const known = contentType === undefined ? {} : { contentType };
  return { topic, qos, payloadSize: payload.length, ...known, etag: etagOf(message) };
}

function topicOf(cursor: string): string | Refused {
  const topic = decodeCursor(cursor);
  // The cursor is only compared, and a device may have published to a topic that the bridge would refuse.
  return topic === undefined || /^$|[+#\0]/.test(topic) ? refuseCursor() : topic;
}
