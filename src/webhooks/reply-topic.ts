/** Validates `replyTopic` at registration; for its use with each message, see `src/uplink/deliver/reply.ts`. */

import { fieldProblem } from "../errors.ts";
import { type Caller, requirePublish, requirePublishAll } from "../keys/caller.ts";
import { covers, matches, publishTopicError, topicFilterError } from "../topic.ts";
import type { Webhook } from "./webhook.ts";

const FIELD = "replyTopic";
const TOPIC = "{topic}";
const RESPONSE_TOPIC = "{responseTopic}";

/**
 * Checks that the caller may publish the replies, and that they cannot match the webhook's own topics.
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
    // An invalid filter is reported under its own field.
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
 * Checks the response topic of a publish. Normally the device responds there, with its own rights. If a webhook replies
 * there instead, the bridge publishes to it, so the caller needs the right to publish there.
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

/** A filter that matches every topic of replies to messages under `filter`. */
function repliesTo(filter: string, replyTopic: string): string {
  const levels = replyTopic.replaceAll(TOPIC, () => filter).split("/");
  // Text next to a wildcard in the same level, as in `{topic}-reply`, makes a level that may have any value.
  const anyLevel = levels.map((level) => (level !== "#" && /[+#]/.test(level) ? "+" : level));
  const open = levels.findIndex((level) => level.includes("#"));
  return open === -1 ? anyLevel.join("/") : [...anyLevel.slice(0, open), "#"].join("/");
}
