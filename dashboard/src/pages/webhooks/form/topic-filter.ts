/** Matching of topics to filters, as the broker does it (MQTT 5 section 4.7). Pure. */

/** Whether a filter matches a topic name. An invalid filter matches nothing sensible, and never throws. */
export function matches(filter: string, topic: string): boolean {
  // [MQTT-4.7.2-1]: a filter that starts with a wildcard does not match topics that start with $.
  if (topic.startsWith("$") && /^[+#]/.test(filter)) return false;
  const levels = topic.split("/");
  const wanted = filter.split("/");
  for (const [i, level] of wanted.entries()) {
    if (level === "#") return true;
    if (i >= levels.length || (level !== "+" && level !== levels[i])) return false;
  }
  return levels.length === wanted.length;
}

export function matchesAny(filters: readonly string[], topic: string): boolean {
  return filters.some((filter) => matches(filter, topic));
}
