/** `GET /v1/topics?filter=`: which topics hold a retained message, a page at a time. */
import { fieldProblem } from "../errors.ts";
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

interface Ports {
  /** Throws a Problem where the caller may not read all that the filter matches. */
  check(filter: string, path: string): void;
  findRetained: FindRetained;
  readSeveral: ReadSeveral;
}

/**
 * The topics in the order of JavaScript strings; the cursor is the last one of the page. Only what is on the page is
 * read, and so has the same `etag` as the topic itself.
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
  const { topics, truncated } = await findRetained(filter);
  const rest = topics.filter((topic) => topic > from).sort();
  const page = rest.slice(0, limit);
  const items: RetainedTopic[] = [];
  // What was cleared since it was found is not there.
  for await (const message of readSeveral(page)) items.push(summaryOf(message));
  return { items, nextCursor: rest.length > limit ? encodeCursor(page.at(-1)!) : null, truncated };
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
  // Only compared, and a device may have published to a topic that the bridge itself would not.
  if (encodeCursor(topic) !== cursor || /^$|[+#\0]/.test(topic))
    throw fieldProblem("invalid_request", "query.after", "is not a cursor of this list");
  return topic;
}
