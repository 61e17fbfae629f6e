/** Topics and topic filters as a reader types them: the rules of the API in its own words. Pure. */

const MAX_LEVELS = 100;
const MAX_BYTES = 65_535;

/** Returns the error in a topic filter, or undefined. */
export function filterError(filter: string): string | undefined {
  const wrong = textError(filter);
  if (wrong) return wrong;
  const levels = filter.split("/");
  for (const [i, level] of levels.entries()) {
    if (level.includes("#") && (level !== "#" || i < levels.length - 1)) return "# must stand alone in the last level";
    if (level.includes("+") && level !== "+") return "+ must stand alone in its level";
  }
  if (isShared(filter)) return "must not be a shared subscription ($share/…)";
  return undefined;
}

/** Returns the error in a topic that a client may publish to, or undefined. */
export function publishTopicError(topic: string): string | undefined {
  const wrong = textError(topic);
  if (wrong) return wrong;
  if (/[+#]/.test(topic)) return "must not contain the wildcards + and #";
  if (isShared(topic)) return "must not begin with $share/";
  const [reserved] = /^\$(SYS|share)/.exec(topic) ?? [];
  return reserved && `must not begin with ${reserved}, which is the broker's own`;
}

function textError(text: string): string | undefined {
  if (text === "") return "must not be empty";
  if (text.includes("\u0000")) return "must not contain the null character";
  if (!text.isWellFormed()) return "must be well-formed Unicode";
  const [disallowed] = /[\p{Cc}\p{Noncharacter_Code_Point}]/u.exec(text) ?? [];
  if (disallowed) {
    const code = disallowed.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
    return `must not contain the control character or non-character U+${code}`;
  }
  if (new TextEncoder().encode(text).length > MAX_BYTES) return `must not be longer than ${MAX_BYTES} bytes`;
  if (text.split("/").length > MAX_LEVELS) return `must not have more than ${MAX_LEVELS} levels`;
  return undefined;
}

function isShared(topic: string): boolean {
  return topic === "$share" || topic.startsWith("$share/");
}

/** Whether a valid filter matches a topic. */
export function matches(filter: string, topic: string): boolean {
  const [levels, names] = [filter.split("/"), topic.split("/")];
  if (/^[+#]/.test(filter) && topic.startsWith("$")) return false;
  for (const [i, level] of levels.entries()) {
    if (level === "#") return true;
    if (i >= names.length || (level !== "+" && level !== names[i])) return false;
  }
  return levels.length === names.length;
}

/** Splits what a reader typed: filters separated by commas or line breaks. */
export function parseFilters(text: string): string[] {
  return [
    ...new Set(
      text
        .split(/[,\n]/)
        .map((filter) => filter.trim())
        .filter((filter) => filter !== ""),
    ),
  ];
}

export function formatFilters(filters: readonly string[]): string {
  return filters.join(", ");
}
