/** Finds the source text of parts of a JSON document: parsing would turn `21.50` into 21.5. */

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
/** `[`, `{`, `]` and `}`. */
const OPENING = [0x5b, 0x7b];
const CLOSING = [0x5d, 0x7d];

/** Returns the source of each element of an array. @param source valid JSON */
export function elementSources(source: string): string[] {
  return parts(source);
}

/** Returns the source of each member's value. The last member of a name counts, as in JSON.parse. */
export function memberSources(source: string): Map<string, string> {
  const members = new Map<string, string>();
  for (const part of parts(source)) {
    const start = part.indexOf('"');
    const end = stringEnd(part, start);
    members.set(JSON.parse(part.slice(start, end)) as string, part.slice(part.indexOf(":", end) + 1));
  }
  return members;
}

/** Splits an array or object at its own commas. White space around a part is part of it. */
function parts(source: string): string[] {
  const found: string[] = [];
  let [depth, start] = [0, 0];
  for (let at = 0; at < source.length; at++) {
    const code = source.charCodeAt(at);
    if (code === QUOTE) at = stringEnd(source, at) - 1;
    else if (OPENING.includes(code)) {
      if (++depth === 1) start = at + 1;
    } else if (CLOSING.includes(code)) {
      if (--depth > 0) continue;
      const last = source.slice(start, at);
      if (found.length > 0 || last.trim() !== "") found.push(last);
    } else if (code === COMMA && depth === 1) {
      found.push(source.slice(start, at));
      start = at + 1;
    }
  }
  return found;
}

/** Returns the index after the string that starts at `start`. */
function stringEnd(source: string, start: number): number {
  let at = start + 1;
  while (source.charCodeAt(at) !== QUOTE) at += source.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at + 1;
}
