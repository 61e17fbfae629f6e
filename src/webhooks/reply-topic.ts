/** `replyTopic`: what may be registered. What becomes of it with each message: `src/uplink/reply.ts`. */
import { type Caller, requirePublishAll } from "../caller.ts";
import { fieldProblem } from "../errors.ts";
import { covers, publishTopicError, topicFilterError } from "../topic.ts";
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

/** A filter that matches every topic to which messages under `filter` are answered. */
function repliesTo(filter: string, replyTopic: string): string {
  const levels = replyTopic.replaceAll(TOPIC, () => filter).split("/");
  // What stands beside a wildcard in its level, as in `{topic}-reply`, makes a level that may be anything.
  const anyLevel = levels.map((level) => (level !== "#" && /[+#]/.test(level) ? "+" : level));
  const open = levels.findIndex((level) => level.includes("#"));
  return open === -1 ? anyLevel.join("/") : [...anyLevel.slice(0, open), "#"].join("/");
}
