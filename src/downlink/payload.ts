/** Reads the payload of a publish from the JSON of the request. */

/** Base64 (RFC 4648 section 4); the URL-safe alphabet is accepted too. Padding is optional, but must be correct. */
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

/** Returns undefined if the text is not base64. */
export function decodeBase64(text: string): Buffer | undefined {
  const digits = text.replace(/=+$/, "").length;
  const wrongPadding = digits < text.length && text.length % 4 !== 0;
  if (!BASE64.test(text) || wrongPadding || digits % 4 === 1) return undefined;
  return Buffer.from(text, "base64");
}

/**
 * Returns the text of a member of the outermost object, exactly as in the document: `1.10` and `12345678901234567890`
 * would not survive parsing and serializing. If a member occurs twice, the last one counts, as with JSON.parse.
 * @param json a document that JSON.parse has accepted, an object
 */
export function rawMember(json: string, name: string): string | undefined {
  let found: string | undefined;
  let at = skipSpace(json, json.indexOf("{") + 1);
  while (json.charCodeAt(at) === QUOTE) {
    const keyEnd = endOfString(json, at);
    const key = JSON.parse(json.slice(at, keyEnd)) as string;
    const start = skipSpace(json, json.indexOf(":", keyEnd) + 1);
    const end = endOfValue(json, start);
    if (key === name) found = json.slice(start, trimEnd(json, start, end));
    if (json.charCodeAt(end) !== COMMA) break;
    at = skipSpace(json, end + 1);
  }
  return found;
}

/**
 * Returns the text of each element of an array, in one pass.
 * @param json a document that JSON.parse has accepted, an array
 */
export function rawElements(json: string): string[] {
  const elements: string[] = [];
  let at = skipSpace(json, json.indexOf("[") + 1);
  if (json.charCodeAt(at) === CLOSE_BRACKET) return elements;
  for (;;) {
    const end = endOfValue(json, at);
    elements.push(json.slice(at, trimEnd(json, at, end)));
    if (json.charCodeAt(end) !== COMMA) return elements;
    at = skipSpace(json, end + 1);
  }
}

const [QUOTE, COMMA, BACKSLASH] = [0x22, 0x2c, 0x5c];
const [OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [0x5b, 0x5d, 0x7b, 0x7d];

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function skipSpace(json: string, at: number): number {
  while (isSpace(json.charCodeAt(at))) at++;
  return at;
}

/** Index after the string that begins at `at`. */
function endOfString(json: string, at: number): number {
  for (let i = at + 1; i < json.length; i++) {
    const code = json.charCodeAt(i);
    if (code === BACKSLASH) i++;
    else if (code === QUOTE) return i + 1;
  }
  return json.length;
}

/** Index of the comma or bracket after the value, or the end of the document. */
function endOfValue(json: string, at: number): number {
  let depth = 0;
  for (let i = at; i < json.length; i++) {
    const code = json.charCodeAt(i);
    if (code === QUOTE) i = endOfString(json, i) - 1;
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) depth++;
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      if (depth-- === 0) return i;
    } else if (code === COMMA && depth === 0) return i;
  }
  return json.length;
}

function trimEnd(json: string, start: number, end: number): number {
  while (end > start && isSpace(json.charCodeAt(end - 1))) end--;
  return end;
}
