/** JSON read in place: each value as the text that was sent, such as `21.50`. Pure. */

type Path = readonly (string | number)[];

type Visit = (path: Path, start: number, end: number) => void;

export interface Leaf {
  /** Such as `sensors[0].celsius`. */
  path: string;
  raw: string;
}

/** Longer payloads are compared as text. */
const MAX_LENGTH = 65_536;

/** Returns every scalar and empty container with its text; undefined if the text is not JSON, or too long. */
export function leavesOf(text: string): Leaf[] | undefined {
  if (text.length > MAX_LENGTH || !isJson(text)) return undefined;
  const leaves: Leaf[] = [];
  walk(text, (path, start, end) => leaves.push({ path: formatPath(path), raw: text.slice(start, end) }));
  return leaves;
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Visits every scalar and empty container of a valid document. */
function walk(text: string, visit: Visit): void {
  const path: (string | number)[] = [];
  let at = 0;
  const skip = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const [found = ""] = pattern.exec(text) ?? [];
    at += found.length;
    return found;
  };
  const value = () => {
    skip(SPACE);
    const start = at;
    const open = text[at];
    const isLeaf = open === "{" || open === "[" ? container(open) : skip(open === '"' ? STRING : SCALAR) !== "";
    if (isLeaf) visit(path, start, at);
    skip(SPACE);
  };
  /** Returns whether it is empty. */
  const container = (open: string): boolean => {
    at++;
    skip(SPACE);
    const close = open === "{" ? "}" : "]";
    let members = 0;
    while (text[at] !== close) {
      if (members > 0) at++;
      skip(SPACE);
      if (open === "{") {
        path.push(JSON.parse(skip(STRING)) as string);
        skip(SPACE);
        at++;
      } else path.push(members);
      value();
      path.pop();
      members++;
    }
    at++;
    return members === 0;
  };
  value();
}

const SPACE = /[ \t\r\n]*/y;
const STRING = /"(?:[^"\\]|\\.)*"/y;
const SCALAR = /[^\s,\]}]*/y;

function formatPath(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    if (!/^[A-Za-z_][\w-]*$/.test(part)) return `${text}[${JSON.stringify(part)}]`;
    return text === "" ? part : `${text}.${part}`;
  }, "");
}
