/** A member of a JSON text as it was sent. Parsing would make `21.5` of `21.50`. Pure. */
import { tokenize } from "./json-lines.ts";

/**
 * Returns the text of the value at a path of names, such as `["response", "payload"]`; undefined if there is none.
 * Names with escapes are not found.
 */
export function rawMember(json: string, path: readonly string[]): string | undefined {
  const names: string[] = [];
  const wanted = path.map((name) => `"${name}"`).join("/");
  /** Brackets of the open objects and arrays, the innermost last. */
  const open: ("{" | "[")[] = [];
  let value: { text: string; depth: number } | undefined;
  for (const { kind, text } of tokenize(json)) {
    const isEnd = text === "," || text === "}" || text === "]";
    if (value && isEnd && kind === "punctuation" && open.length === value.depth) return value.text.trim();
    if (value) value.text += text;
    if (kind === "key") names[open.length - 1] = text;
    if (kind !== "punctuation") continue;
    if (text === "{" || text === "[") open.push(text);
    else if (text === "}" || text === "]") {
      open.pop();
      names.length = Math.min(names.length, open.length);
    } else if (text === ":" && !value && !open.includes("[") && names.join("/") === wanted) {
      value = { text: "", depth: open.length };
    }
  }
  return undefined;
}
