/** JSON cut into tokens and lines without changing a character. Pure. */

export type TokenKind = "key" | "string" | "number" | "word" | "punctuation" | "space" | "other";

export interface Token {
  kind: TokenKind;
  text: string;
}

/** A line as it is shown. The texts of all tokens of all lines, in order, are the input. */
export interface JsonLine {
  depth: number;
  tokens: Token[];
  /** For a line that opens an object or array: the index of the line that closes it. */
  closedAt?: number;
  /** For a line that opens an object or array: how many members or elements it has. */
  size?: number;
}

const TOKEN =
  /("[^"\\]*(?:\\[\s\S][^"\\]*)*"?)|([{}[\],:])|([ \t\n\r]+)|(-?\d[\d.eE+-]*)|(true|false|null)(?![\w$])|[^"{}[\],: \t\n\r]+|[\s\S]/g;

export function tokenize(json: string): Token[] {
  const tokens: Token[] = [];
  for (const [text, string, punctuation, space, number, word] of json.matchAll(TOKEN)) {
    const kind = string ? "string" : punctuation ? "punctuation" : space ? "space" : number ? "number" : word && "word";
    tokens.push({ kind: kind || "other", text });
  }
  // A string before a colon is a key.
  let string: Token | undefined;
  for (const token of tokens) {
    if (token.text === ":" && string) string.kind = "key";
    if (token.kind !== "space") string = token.kind === "string" ? token : undefined;
  }
  return tokens;
}

/** Begins a line after `{`, `[` and `,` and before the closing bracket; an empty object or array stays on one line. */
export function linesOf(json: string): JsonLine[] {
  const tokens = tokenize(json);
  const lines: JsonLine[] = [{ depth: 0, tokens: [] }];
  const open: { line: number; isEmpty: boolean; commas: number }[] = [];
  const begin = () => lines.push({ depth: open.length, tokens: [] });
  tokens.forEach((token, i) => {
    const { text, kind } = token;
    const container = open.at(-1);
    const isClosing = (text === "}" || text === "]") && container !== undefined;
    if (isClosing) {
      open.pop();
      if (!container.isEmpty) {
        Object.assign(lines[container.line]!, { closedAt: lines.length, size: container.commas + 1 });
        begin();
      }
    }
    lines.at(-1)!.tokens.push(token);
    if (text === "{" || text === "[") {
      const isEmpty = /^[}\]]$/.test(following(tokens, i));
      open.push({ line: lines.length - 1, isEmpty, commas: 0 });
      if (!isEmpty) begin();
    } else if (text === "," && kind === "punctuation" && container) {
      container.commas++;
      begin();
    }
  });
  return lines;
}

/** The next token that is no space; "" at the end. */
function following(tokens: readonly Token[], at: number): string {
  const next = tokens[at + 1];
  return (next?.kind === "space" ? tokens[at + 2]?.text : next?.text) ?? "";
}

/** The indices of the lines that are visible while some are folded. */
export function visibleLines(lines: readonly JsonLine[], folded: ReadonlySet<number>): number[] {
  const visible: number[] = [];
  for (let i = 0; i < lines.length; i++) {
    visible.push(i);
    const closedAt = lines[i]!.closedAt;
    if (closedAt !== undefined && folded.has(i)) i = closedAt - 1;
  }
  return visible;
}

/** The indices of the lines that contain the text, in any case. */
export function matchesIn(lines: readonly JsonLine[], text: string): number[] {
  const wanted = text.toLowerCase();
  if (wanted === "") return [];
  return lines.flatMap(({ tokens }, i) => (textOf(tokens).toLowerCase().includes(wanted) ? [i] : []));
}

/** The text of a line as it is read: with one space after a colon, and without the spaces between tokens. */
function textOf(tokens: readonly Token[]): string {
  return tokens.map(({ kind, text }) => (kind === "space" ? "" : text === ":" ? ": " : text)).join("");
}
