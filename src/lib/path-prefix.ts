/** A path prefix, such as `/iot/causeway`: copied into URLs, redirects and cookies, so it has no special characters. */
const PREFIX = /^(?:\/(?!\.{1,2}(?:\/|$))[\w.~-]+)+$/;
const MAX_LENGTH = 200;

/** Refuses prefixes below `/v1`, which paths of the API would be mistaken for. */
export function isPathPrefix(text: string): boolean {
  return text.length <= MAX_LENGTH && PREFIX.test(text) && !/^\/v1(?:\/|$)/.test(text);
}
