/** The payload of a publish, from the JSON of the request. */
import { fieldProblem } from "../errors.ts";

/** Base64 (RFC 4648 section 4); the URL-safe alphabet is taken as well, and padding may be left out, but not be wrong. */
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

/** @throws Problem naming the field when the text is not base64 */
export function decodeBase64(text: string, path: string): Buffer {
  const digits = text.replace(/=+$/, "").length;
  const wrongPadding = digits < text.length && text.length % 4 !== 0;
  if (!BASE64.test(text) || wrongPadding || digits % 4 === 1) {
    throw fieldProblem("invalid_request", path, "is not base64");
  }
  return Buffer.from(text, "base64");
}

/**
 * The text of a member of the outermost object, as it stands in the document: `1.10` and `12345678901234567890` would
 * not survive parsing and writing. The last one counts when it stands there twice, as with JSON.parse.
 * @param json a document that JSON.parse has accepted, an object
 */
export function rawMember(json: string, name: string): string | undefined {
  let found: string | undefined;
  let at = skipSpace(json, json.indexOf("{") + 1);
  while (json[at] === '"') {
    const keyEnd = endOfString(json, at);
    const key = JSON.parse(json.slice(at, keyEnd)) as string;
    const start = skipSpace(json, json.indexOf(":", keyEnd) + 1);
    const end = endOfValue(json, start);
    if (key === name) found = json.slice(start, end);
    at = skipSpace(json, end);
    if (json[at] !== ",") break;
    at = skipSpace(json, at + 1);
  }
  return found;
}

function skipSpace(json: string, at: number): number {
  while (json[at] === " " || json[at] === "\n" || json[at] === "\r" || json[at] === "\t") at++;
  return at;
}

/** Just behind the string that begins at `at`. */
function endOfString(json: string, at: number): number {
  for (let i = at + 1; i < json.length; i++) {
    if (json[i] === "\\") i++;
    else if (json[i] === '"') return i + 1;
  }
  return json.length;
}

function endOfValue(json: string, at: number): number {
  let depth = 0;
  for (let i = at; i < json.length; i++) {
    const c = json[i]!;
    if (c === '"') {
      i = endOfString(json, i) - 1;
    } else if (c === "{" || c === "[") depth++;
    else if (c === "}" || c === "]") {
      if (depth === 0) return trimEnd(json, at, i);
      depth--;
    } else if (c === "," && depth === 0) return trimEnd(json, at, i);
  }
  return trimEnd(json, at, json.length);
}

function trimEnd(json: string, start: number, end: number): number {
  while (end > start && " \n\r\t".includes(json[end - 1]!)) end--;
  return end;
}
