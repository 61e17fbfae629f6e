/** Topic names and topic filters: the rules of MQTT 5 section 4.7 (the same as 3.1.1 section 4.7), pure. */

/** The longest UTF-8 encoded string MQTT can carry, in bytes (MQTT 5 section 1.5.4). */
export const MAX_TOPIC_BYTES = 65_535;

/** What is wrong with a topic name, or undefined when a client may publish to it. */
export function topicNameError(topic: string): string | undefined {
  const wrong = stringError(topic);
  if (wrong) return wrong;
  // [MQTT-3.3.2-2]: a topic name in PUBLISH must not contain wildcard characters.
  if (/[+#]/.test(topic)) return "must not contain the wildcards + and #";
  return undefined;
}

/** What is wrong with a topic filter, or undefined when a client may subscribe to it. */
export function topicFilterError(filter: string): string | undefined {
  const wrong = stringError(filter);
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
  // A shared subscription (section 4.8.2) splits messages between subscribers; a webhook gets all of them.
  if (levels[0] === "$share") return "must not be a shared subscription ($share/…)";
  return undefined;
}

function stringError(value: string): string | undefined {
  if (value.length === 0) return "must not be empty"; // [MQTT-4.7.3-1]
  if (value.includes("\u0000")) return "must not contain the null character"; // [MQTT-4.7.3-2]
  if (!value.isWellFormed()) return "must be well-formed Unicode"; // [MQTT-1.5.4-1]
  if (Buffer.byteLength(value) > MAX_TOPIC_BYTES) return `must not be longer than ${MAX_TOPIC_BYTES} bytes`; // [MQTT-4.7.3-3]
  return undefined;
}

/** Whether a valid filter matches a valid topic name. */
export function matches(filter: string, topic: string): boolean {
  // [MQTT-4.7.2-1]: a filter that starts with a wildcard does not match topics that start with $.
  if (topic.startsWith("$") && (filter.startsWith("+") || filter.startsWith("#"))) return false;
  const f = filter.split("/");
  const t = topic.split("/");
  for (const [i, level] of f.entries()) {
    if (level === "#") return true; // also matches the parent level: section 4.7.1.2
    if (i >= t.length || (level !== "+" && level !== t[i])) return false;
  }
  return f.length === t.length;
}

/** Whether some topic name is matched by both filters. */
export function overlaps(a: string, b: string): boolean {
  const [fa, fb] = [a.split("/"), b.split("/")];
  // A leading wildcard never meets a first level that starts with $ [MQTT-4.7.2-1].
  const wild = (level: string | undefined) => level === "+" || level === "#";
  if ((wild(fa[0]) && fb[0]?.startsWith("$")) || (wild(fb[0]) && fa[0]?.startsWith("$"))) return false;
  // All they share is the empty name above /#, which no topic has [MQTT-4.7.3-1].
  if ((a === "/#" && b === "+") || (a === "+" && b === "/#")) return false;
  for (let i = 0; ; i++) {
    const [la, lb] = [fa[i], fb[i]];
    if (la === "#" || lb === "#") return true;
    if (la === undefined || lb === undefined) return la === lb;
    if (la !== lb && la !== "+" && lb !== "+") return false;
  }
}
