/**
 * Topic of a hook: literal text, and JSONata in braces whose value stays within its topic level. The set of all possible
 * topics is therefore a topic filter, which the rights of a key cover or not. Pure.
 */
import { publishTopicError } from "../topic.ts";

export interface TopicTemplate {
  /** Literal texts around the expressions: one more than there are expressions. */
  texts: string[];
  expressions: string[];
}

export const MAX_EXPRESSIONS = 20;
/** Stands for an expression while the literal part is checked. */
const SAMPLE = "x";

/** Parses a template; a text is its error. */
export function parseTopic(topic: string): TopicTemplate | string {
  const texts: string[] = [];
  const expressions: string[] = [];
  let from = 0;
  for (let open = topic.indexOf("{"); open >= 0; open = topic.indexOf("{", from)) {
    const end = endOfExpression(topic, open + 1);
    if (end === undefined) return "has a { without its }";
    const expression = topic.slice(open + 1, end);
    if (expression.trim() === "") return "has braces without an expression";
    texts.push(topic.slice(from, open));
    expressions.push(expression);
    from = end + 1;
  }
  texts.push(topic.slice(from));
  if (texts.some((text) => text.includes("}"))) return "has a } without its {";
  if (expressions.length > MAX_EXPRESSIONS) return `must not have more than ${MAX_EXPRESSIONS} expressions`;
  return topicError(texts.join(SAMPLE)) ?? { texts, expressions };
}

/** Index of the brace that closes the expression; braces in strings, names and comments of JSONata do not count. */
function endOfExpression(text: string, start: number): number | undefined {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const character = text[i]!;
    if (character === '"' || character === "'") {
      while (++i < text.length && text[i] !== character) if (text[i] === "\\") i++;
    } else if (character === "`") i = indexOrEnd(text, "`", i + 1);
    else if (character === "/" && text[i + 1] === "*") i = indexOrEnd(text, "*/", i + 2) + 1;
    else if (character === "{") depth++;
    else if (character === "}" && depth-- === 0) return i;
  }
  return undefined;
}

function indexOrEnd(text: string, end: string, from: number): number {
  const at = text.indexOf(end, from);
  return at === -1 ? text.length : at;
}

/** Filter that matches exactly the topics that the template can become, apart from the literal part of a level. */
export function filterOf({ texts }: TopicTemplate): string {
  // The null character is in no valid topic.
  return texts
    .join("\u0000")
    .split("/")
    .map((level) => (level.includes("\u0000") ? "+" : level))
    .join("/");
}

/** Inserts the values of the expressions; or returns why that is no topic, without quoting a value. */
export function topicWith({ texts }: TopicTemplate, values: readonly unknown[]): { topic: string } | { error: string } {
  let topic = texts[0]!;
  for (const [i, text] of texts.slice(1).entries()) {
    const value = levelOf(values[i]);
    if (value === undefined) return { error: `expression ${i + 1} must give a text, a number or a boolean` };
    if (value === "") return { error: `expression ${i + 1} must not give an empty text` };
    if (/[/+#]/.test(value)) return { error: `the value of expression ${i + 1} must not contain /, + or #` };
    topic += value + text;
  }
  const error = topicError(topic);
  return error === undefined ? { topic } : { error };
}

function levelOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}

/** Topics that begin with `$` belong to the broker (MQTT 5 section 4.7.2); callers from outside reach none of them. */
function topicError(topic: string): string | undefined {
  return topic.startsWith("$") ? "must not begin with $" : publishTopicError(topic);
}
