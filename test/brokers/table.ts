/** The table in docs/brokers.md: one row per scenario, one column per broker. */

/** Column → row → cell. */
export type Results = Map<string, Map<string, string>>;

/** First row: the tested versions. */
export const VERSION = "Version";

const BEGIN = "<!-- measured: npm run test:brokers -- --write -->";
const END = "<!-- /measured -->";

/** Returns the text between the markers. @throws if the markers are missing */
export function measuredPart(document: string): string {
  const [from, to] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`the document has no ${BEGIN} … ${END}`);
  return document.slice(from + BEGIN.length, to).trim();
}

export function withMeasuredPart(document: string, part: string): string {
  const end = document.indexOf(END);
  const from = document.indexOf(BEGIN) + BEGIN.length;
  return `${document.slice(0, from)}\n\n${part}\n\n${document.slice(end)}`;
}

/** Parses the documented results of each broker. */
export function parseTable(part: string): Results {
  const lines = part.split("\n").filter((line) => line.startsWith("|"));
  const [columns = [], , ...rows] = lines.map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );
  return new Map(
    columns.slice(1).map((column, i) => [column, new Map(rows.map((row) => [row[0]!, row[i + 1]!]))] as const),
  );
}

export function renderTable(titles: string[], results: Results): string {
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  const columns = [...results.keys()];
  return [
    line(["", ...columns]),
    line(["---", ...columns.map(() => "---")]),
    ...titles.map((title) => line([title, ...columns.map((column) => results.get(column)!.get(title) ?? "not run")])),
  ].join("\n");
}
