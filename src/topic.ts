/**
 * Topic names and topic filters: the rules of MQTT 5 section 4.7 (the same as 3.1.1 section 4.7), pure. The bridge
 * checks every topic and filter it accepts, because a broker closes the connection of a client that breaks the rules:
 * one invalid filter would end the session of all webhooks with every SUBSCRIBE.
 */

/** The longest UTF-8 encoded string in MQTT, in bytes (MQTT 5 section 1.5.4). */
export const MAX_TOPIC_BYTES = 65_535;
/**
 * MQTT has no limit. Aedes, the embedded broker, closes the connection at the 101st level of a PUBLISH, SUBSCRIBE or
 * UNSUBSCRIBE, and Mosquitto at the 202nd.
 */
export const MAX_TOPIC_LEVELS = 100;

/** Returns the error in a topic name, or undefined if a message may have it. */
export function topicNameError(topic: string): string | undefined {
  const wrong = topicError(topic);
  if (wrong) return wrong;
  // [MQTT-3.3.2-2]: a topic name in PUBLISH must not contain wildcard characters.
  if (/[+#]/.test(topic)) return "must not contain the wildcards + and #";
  // Reading its retained message would create a shared subscription instead.
  if (isShared(topic)) return "must not begin with $share/";
  return undefined;
}

/** Returns the error in a topic name, or undefined if a client may publish to it. */
export function publishTopicError(topic: string): string | undefined {
  const wrong = topicNameError(topic);
  if (wrong) return wrong;
  // Reserved for the broker (section 4.7.2). Mosquitto closes the connection at any topic with these prefixes, and
  // Aedes at $SYS/.
  const [reserved] = /^\$(SYS|share)/.exec(topic) ?? [];
  return reserved && `must not begin with ${reserved}, which is the broker's own`;
}

/** Returns the error in a topic filter, or undefined if a client may subscribe to it. */
export function topicFilterError(filter: string): string | undefined {
  const wrong = topicError(filter);
  if (wrong) return wrong;
  const levels = filter.split("/");
  for (const [i, level] of levels.entries()) {
    // [MQTT-4.7.1-1]: # stands alone in its level, and that level is the last one.
    if (level.includes("#") && (level !== "#" || i < levels.length - 1)) {
      return "# must stand alone in the last level";
    }
    // [MQTT-4.7.1-2]: + fills its whole level.
    if (level.includes("+") && level !== "+") return "+ must stand alone in its level";
  }
  // A shared subscription (section 4.8.2) distributes messages among subscribers; a webhook gets all of them.
  if (isShared(filter)) return "must not be a shared subscription ($share/…)";
  return undefined;
}

function topicError(topic: string): string | undefined {
  if (topic.length === 0) return "must not be empty"; // [MQTT-4.7.3-1]
  const wrong = mqttStringError(topic); // [MQTT-4.7.3-2], [MQTT-4.7.3-3]
  if (wrong) return wrong;
  if (hasTooManyLevels(topic)) return `must not have more than ${MAX_TOPIC_LEVELS} levels`;
  return undefined;
}

/**
 * Returns the error in a UTF-8 encoded string (section 1.5.4), in a topic or any other field of a packet. A receiver
 * may treat control characters and non-characters as a malformed packet; Mosquitto does so and closes the connection.
 */
export function mqttStringError(text: string): string | undefined {
  if (text.includes("\u0000")) return "must not contain the null character"; // [MQTT-1.5.4-2]
  if (!text.isWellFormed()) return "must be well-formed Unicode"; // [MQTT-1.5.4-1]
  const [disallowed] = /[\p{Cc}\p{Noncharacter_Code_Point}]/u.exec(text) ?? [];
  if (disallowed) return `must not contain the control character or non-character ${codePoint(disallowed)}`;
  if (Buffer.byteLength(text) > MAX_TOPIC_BYTES) return `must not be longer than ${MAX_TOPIC_BYTES} bytes`;
  return undefined;
}

function codePoint(character: string): string {
  return `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`;
}

function hasTooManyLevels(topic: string): boolean {
  let levels = 1;
  for (let at = topic.indexOf("/"); at !== -1; at = topic.indexOf("/", at + 1)) {
    if (++levels > MAX_TOPIC_LEVELS) return true;
  }
  return false;
}

function isShared(topic: string): boolean {
  return topic === "$share" || topic.startsWith("$share/");
}

/** Whether a valid filter matches a valid topic name. */
export function matches(filter: string, topic: string): boolean {
  const levels = filter.split("/");
  if (avoids(levels[0]!, topic)) return false;
  let at = 0; // start of the current level; beyond the end if there are no more levels
  for (const level of levels) {
    if (level === "#") return true; // also matches the parent level: section 4.7.1.2
    if (at > topic.length || (level !== "+" && !topic.startsWith(level, at))) return false;
    const slash = level === "+" ? topic.indexOf("/", at) : at + level.length;
    const end = slash === -1 ? topic.length : slash;
    if (end < topic.length && topic[end] !== "/") return false;
    at = end + 1;
  }
  return at > topic.length;
}

/** [MQTT-4.7.2-1]: a leading wildcard does not match topics that start with $. */
function avoids(first: string, other: string): boolean {
  return (first === "+" || first === "#") && isReserved(other);
}

/** Whether no filter with a leading wildcard matches this topic [MQTT-4.7.2-1]. */
export function isReserved(topic: string): boolean {
  return topic.startsWith("$");
}

/** Whether every topic name that the valid filter (or name) `requested` matches is matched by the valid `granted`. */
export function covers(granted: string, requested: string): boolean {
  const [g, r] = [granted.split("/"), withoutEmptyParent(requested).split("/")];
  if (avoids(g[0]!, r[0]!)) return false;
  for (const [i, level] of g.entries()) {
    if (level === "#") return true;
    // A # in `requested` matches the parent level and any number of levels; only # covers that.
    if (i >= r.length || r[i] === "#" || (level !== "+" && level !== r[i])) return false;
  }
  return g.length === r.length;
}

/** The parent of these two is the empty name, which no topic has [MQTT-4.7.3-1]; # then means one or more levels. */
function withoutEmptyParent(filter: string): string {
  if (filter === "#") return "+/#";
  return filter === "/#" ? "/+/#" : filter;
}

/** Whether at least one topic name matches both filters. */
export function overlaps(a: string, b: string): boolean {
  const [fa, fb] = [a.split("/"), b.split("/")];
  if (avoids(fa[0]!, fb[0]!) || avoids(fb[0]!, fa[0]!)) return false;
  // Both match only the empty name above /#, which no topic has [MQTT-4.7.3-1].
  if ((a === "/#" && b === "+") || (a === "+" && b === "/#")) return false;
  for (let i = 0; ; i++) {
    const [la, lb] = [fa[i], fb[i]];
    if (la === "#" || lb === "#") return true;
    if (la === undefined || lb === undefined) return la === lb;
    if (la !== lb && la !== "+" && lb !== "+") return false;
  }
}
