/** `replyTopic`: what may be registered. What becomes of it with each message: `src/uplink/deliver/reply.ts`. */

import { fieldProblem } from "../errors.ts";
import { type Caller, requirePublish, requirePublishAll } from "../keys/caller.ts";
import { covers, matches, publishTopicError, topicFilterError } from "../topic.ts";
import type { Webhook } from "./webhook.ts";

const FIELD = "replyTopic";
const TOPIC = "{topic}";
const RESPONSE_TOPIC = "{responseTopic}";

/**
 * Whether replies go where they may, and where they cannot come back for certain.
 * @throws Problem invalid_topic, invalid_request, forbidden_topic
 */
export function checkReplyTopic({ replyTopic, topics }: Pick<Webhook, "replyTopic" | "topics">, caller: Caller): void {
  if (replyTopic === undefined) return;
  if (replyTopic === RESPONSE_TOPIC) {
    requirePublishAll(caller, "#", FIELD);
    return;
  }
  if (replyTopic.includes(RESPONSE_TOPIC)) {
    throw fieldProblem("invalid_topic", FIELD, `${RESPONSE_TOPIC} must stand alone`);
  }
  const wrong = publishTopicError(replyTopic.replaceAll(TOPIC, () => "t"));
  if (wrong) throw fieldProblem("invalid_topic", FIELD, wrong);
  for (const filter of new Set(replyTopic.includes(TOPIC) ? topics : [replyTopic])) {
    const replies = repliesTo(filter, replyTopic);
    // A filter that is wrong by itself is refused by its own name.
    const wrong = topicFilterError(filter) ? undefined : topicFilterError(replies);
    if (wrong) throw fieldProblem("invalid_topic", FIELD, `with ${TOPIC} replaced it ${wrong}`);
    if (topics.some((own) => covers(own, replies))) {
      const message = `the replies would come back to this webhook, again and again: ${replies} is among its topics`;
      throw fieldProblem("invalid_request", FIELD, message);
    }
    requirePublishAll(caller, replies, FIELD);
  }
}

/**
 * A response topic is where the device answers, with rights of its own. Only where a webhook answers there instead, the
 * bridge publishes on it, so then the caller must be allowed to.
 * @throws Problem forbidden_topic
 */
export function checkResponseTopic(
  { topic, responseTopic }: { topic: string; responseTopic?: string },
  webhooks: () => Pick<Webhook, "replyTopic" | "topics">[],
  caller: Caller,
): void {
  if (responseTopic === undefined || caller.mayPublish(responseTopic)) return;
  const isAnswered = webhooks().some(
    ({ replyTopic, topics }) => replyTopic === RESPONSE_TOPIC && topics.some((filter) => matches(filter, topic)),
  );
  if (isAnswered) requirePublish(caller, responseTopic, "responseTopic");
}

/** A filter that matches every topic to which messages under `filter` are answered. */
function repliesTo(filter: string, replyTopic: string): string {
  const levels = replyTopic.replaceAll(TOPIC, () => filter).split("/");
  // What stands beside a wildcard in its level, as in `{topic}-reply`, makes a level that may be anything.
  const anyLevel = levels.map((level) => (level !== "#" && /[+#]/.test(level) ? "+" : level));
  const open = levels.findIndex((level) => level.includes("#"));
  return open === -1 ? anyLevel.join("/") : [...anyLevel.slice(0, open), "#"].join("/");
}
