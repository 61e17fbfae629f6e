/** JSON in lines, and the difference of two texts by line. The text of every token stays as it is. Pure. */

const INDENT = "  ";
/** Longer texts are shown as they are: the layout and the difference are for reading. */
const MAX_CHARACTERS = 64 * 1_024;
const MAX_LINES = 1_000;

/**
 * Breaks JSON into indented lines: space between tokens changes and nothing else, so `21.50` and twenty digits stay.
 * Text that is not JSON is split at its line breaks.
 */
export function linesOf(text: string): string[] {
  if (text.length > MAX_CHARACTERS || !isJsonContainer(text)) return text.split("\n");
  const lines: string[] = [];
  let line = "";
  let depth = 0;
  const next = () => {
    lines.push(line);
    line = INDENT.repeat(depth);
  };
  for (const token of text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/gs) ?? []) {
    if (token === "}" || token === "]") {
      depth = Math.max(0, depth - 1);
      // An empty object or list stays on its line.
      if (/[{[]$/.test(line)) line += token;
      else {
        next();
        line += token;
      }
      continue;
    }
    // The first member, after the bracket.
    if (/[{[]$/.test(line)) next();
    line += token === ":" ? ": " : token;
    if (token === "{" || token === "[") depth++;
    if (token === ",") next();
  }
  lines.push(line);
  return lines;
}

function isJsonContainer(text: string): boolean {
  if (!/^\s*[{[]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

export interface DiffLine {
  kind: "same" | "added" | "removed";
  text: string;
}

/** Returns the shortest difference of two lists of lines; of very long ones, all lines of both. */
export function diffLines(before: readonly string[], after: readonly string[]): DiffLine[] {
  if (before.length > MAX_LINES || after.length > MAX_LINES) {
    return [...marked("removed", before), ...marked("added", after)];
  }
  // Lengths of the longest common subsequence of the lines from i and j on.
  const common = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1));
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      common[i]![j] =
        before[i] === after[j] ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!);
    }
  }
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < before.length && j < after.length) {
    if (before[i] === after[j]) {
      lines.push({ kind: "same", text: before[i]! });
      i++;
      j++;
    } else if (common[i + 1]![j]! >= common[i]![j + 1]!) lines.push({ kind: "removed", text: before[i++]! });
    else lines.push({ kind: "added", text: after[j++]! });
  }
  return [...lines, ...marked("removed", before.slice(i)), ...marked("added", after.slice(j))];
}

function marked(kind: DiffLine["kind"], texts: readonly string[]): DiffLine[] {
  return texts.map((text) => ({ kind, text }));
}
