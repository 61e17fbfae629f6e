/** `GET /v1/topics?filter=`: lists the topics that hold a retained message, in pages. */
import { fieldProblem } from "../errors.ts";
import { topicFilterError } from "../topic.ts";
import { etagOf, type FindRetained, queryProblem, type ReadSeveral, type RetainedMessage } from "./retained.ts";

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

interface Ports {
  /** Throws a Problem if the caller may not read everything that the filter matches. */
  check(filter: string, path: string): void;
  findRetained: FindRetained;
  readSeveral: ReadSeveral;
}

/**
 * Returns the topics in JavaScript string order; the cursor is the last topic of the page. Only the messages on the
 * page are read, so their `etag` equals that of the topic itself.
 * @throws Problem
 */
export async function listRetained(
  { filter, limit, after }: { filter: string; limit: number; after?: string },
  { check, findRetained, readSeveral }: Ports,
): Promise<RetainedPage> {
  const wrong = topicFilterError(filter);
  if (wrong) throw fieldProblem("invalid_topic_filter", "query.filter", wrong);
  check(filter, "query.filter");
  const from = after === undefined ? "" : decodeCursor(after);
  try {
    const { topics, truncated } = await findRetained(filter);
    const rest = topics.filter((topic) => topic > from).sort();
    const page = rest.slice(0, limit);
    const items: RetainedTopic[] = [];
    // A message that was cleared since the search is missing.
    for await (const message of readSeveral(page)) items.push(summaryOf(message));
    return { items, nextCursor: rest.length > limit ? encodeCursor(page.at(-1)!) : null, truncated };
  } catch (error) {
    throw queryProblem(error);
  }
}

function summaryOf(message: RetainedMessage): RetainedTopic {
  const { topic, qos, payload, contentType } = message;
  const known = contentType === undefined ? {} : { contentType };
  return { topic, qos, payloadSize: payload.length, ...known, etag: etagOf(message) };
}

function encodeCursor(topic: string): string {
  return Buffer.from(topic).toString("base64url");
}

function decodeCursor(cursor: string): string {
  const topic = Buffer.from(cursor, "base64url").toString();
  // The cursor is only compared, and a device may have published to a topic that the bridge would refuse.
  if (encodeCursor(topic) !== cursor || /^$|[+#\0]/.test(topic))
    throw fieldProblem("invalid_request", "query.after", "is not a cursor of this list");
  return topic;
}
