/** URL templates: `{topic}` and `{topic[n]}` in the path and the query of a webhook's URL. Pure. */

const PLACEHOLDER = /\{topic(?:\[(\d{1,3})\])?\}/g;
/** Servers and proxies commonly refuse longer request lines. */
const MAX_LENGTH = 8_192;
/** Levels that a URL parser removes, with the level before them (WHATWG URL section 4.4). */
const DOTS = /^(?:\.|%2e){1,2}$/i;

export function isTemplate(url: string): boolean {
  return url.includes("{topic");
}

/** Returns a URL that the template may become, for checks of its scheme, host and port. */
export function sampleOf(url: string): string {
  return filled(url, "1");
}

/** Returns the error in the placeholders of a URL; undefined if there is none, or the URL is invalid for other reasons. */
export function templateError(url: string): string | undefined {
  if (!isTemplate(url)) return undefined;
  if (filled(url, "").includes("{topic")) return "may contain {topic} and {topic[n]}, with a level n from 0";
  const [one, other] = [filled(url, "1"), filled(url, "2")];
  if (!URL.canParse(one) || !URL.canParse(other)) return undefined;
  return new URL(one).origin === new URL(other).origin
    ? undefined
    : "must not contain {topic} in its scheme, host or port";
}

/** Returns the first topic filter that matches only topics without a level of the template, and that level. */
export function missingLevel(url: string, topics: readonly string[]): { filter: string; level: number } | undefined {
  const level = Math.max(-1, ...[...url.matchAll(PLACEHOLDER)].map(([, n]) => Number(n ?? -1)));
  const filter = topics.find((one) => !/(?:^|\/)#$/.test(one) && one.split("/").length <= level);
  return filter === undefined ? undefined : { filter, level };
}

/**
 * Returns the URL for a message. A level that the topic does not have, and one that would change the other levels of the
 * path, is an error: the event must not reach a different resource.
 */
export function resolveUrl(url: string, topic: string): string | { error: string } {
  if (!isTemplate(url)) return url;
  const levels = topic.split("/");
  let missing: string | undefined;
  const resolve = (part: string) =>
    part.replace(PLACEHOLDER, (_, n?: string) => {
      const value = n === undefined ? topic : levels[Number(n)];
      if (value === undefined) missing ??= n;
      return encodeURIComponent((value ?? "").toWellFormed());
    });
  const parts = url.split(/([/\\?#])/);
  const resolved = parts.map((part) => (isTemplate(part) ? resolve(part) : part));
  if (missing !== undefined) return { error: `the topic has no level ${missing}` };
  if (resolved.some((part, i) => part !== parts[i] && DOTS.test(part))) {
    return { error: "a level . or .. of the topic would change the path" };
  }
  const text = resolved.join("");
  return text.length > MAX_LENGTH ? { error: `would be longer than ${MAX_LENGTH} characters` } : text;
}

function filled(url: string, value: string): string {
  return url.replace(PLACEHOLDER, value);
}
