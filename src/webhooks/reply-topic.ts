/** Validates `replyTopic` at registration; for its use with each message, see `src/uplink/deliver/reply.ts`. */

import { type Refused, refuseField } from "../errors.ts";
import { type Caller, checkPublish, checkPublishAll } from "../keys/caller.ts";
import { covers, matches, publishTopicError, topicFilterError } from "../topic.ts";
import type { Webhook } from "./webhook.ts";

const FIELD = "replyTopic";
const TOPIC = "{topic}";
const RESPONSE_TOPIC = "{responseTopic}";

/** Checks that the caller may publish the replies, and that they cannot match the webhook's own topics. */
export function checkReplyTopic(
  { replyTopic, topics }: Pick<Webhook, "replyTopic" | "topics">,
  caller: Caller,
): Refused | undefined {
  if (replyTopic === undefined) return undefined;
  if (replyTopic === RESPONSE_TOPIC) return checkPublishAll(caller, "#", FIELD);
  const wrong = replyTopic.includes(RESPONSE_TOPIC)
    ? `${RESPONSE_TOPIC} must stand alone`
    : publishTopicError(replyTopic.replaceAll(TOPIC, () => "t"));
  if (wrong) return refuseField("invalid_topic", FIELD, wrong);
  for (const filter of new Set(replyTopic.includes(TOPIC) ? topics : [replyTopic])) {
    const replies = repliesTo(filter, replyTopic);
    // An invalid filter is reported under its own field.
    const wrong = topicFilterError(filter) ? undefined : topicFilterError(replies);
    if (wrong) return refuseField("invalid_topic", FIELD, `with ${TOPIC} replaced it ${wrong}`);
    if (topics.some((own) => covers(own, replies))) {
      const message = `the replies would return to this webhook in a loop: ${replies} is among its topics`;
      return refuseField("invalid_request", FIELD, message);
    }
    const refused = checkPublishAll(caller, replies, FIELD);
    if (refused) return refused;
  }
  return undefined;
}

/**
 * Checks the response topic of a publish. Normally the device responds there, with its own rights. If a webhook replies
 * there instead, the bridge publishes to it, so the caller needs the right to publish there.
 */
export function checkResponseTopic(
  { topic, responseTopic }: { topic: string; responseTopic?: string },
  webhooks: () => Pick<Webhook, "replyTopic" | "topics">[],
  caller: Caller,
): Refused | undefined {
  if (responseTopic === undefined || caller.mayPublish(responseTopic)) return undefined;
  const isAnswered = webhooks().some(
    ({ replyTopic, topics }) => replyTopic === RESPONSE_TOPIC && topics.some((filter) => matches(filter, topic)),
  );
  return isAnswered ? checkPublish(caller, responseTopic, "responseTopic") : undefined;
}

/** A filter that matches every topic of replies to messages under `filter`. */
function repliesTo(filter: string, replyTopic: string): string {
  const levels = replyTopic.replaceAll(TOPIC, () => filter).split("/");
  // Text next to a wildcard in the same level, as in `{topic}-reply`, makes a level that may have any value.
  const anyLevel = levels.map((level) => (level !== "#" && /[+#]/.test(level) ? "+" : level));
  const open = levels.findIndex((level) => level.includes("#"));
  return open === -1 ? anyLevel.join("/") : [...anyLevel.slice(0, open), "#"].join("/");
}
