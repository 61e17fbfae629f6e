/** The documentation as the tests see it: the pages, their code blocks and the notes before each block. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Pages whose commands run first, in this order. */
export const TOUR = [
  "README.md",
  "docs/guide.md",
  "docs/publishing.md",
  "docs/requests.md",
  "docs/hooks.md",
  "docs/webhooks.md",
];
/** They change the broker. */
const RUN_LAST = ["docs/mqtt5.md"];
const RECIPES = "docs/recipes";

export interface Block {
  /** Line of the first note or, without notes, of the opening fence. */
  line: number;
  language: string;
  code: string;
  /** The comments right before the block, without their marks. */
  notes: string[];
}

export interface Page {
  path: string;
  text: string;
}

export function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** Every page of documentation, those at the root included. */
export function markdownFiles(): string[] {
  const at = (directory: string) =>
    readdirSync(join(ROOT, directory))
      .filter((name) => name.endsWith(".md"))
      .map((name) => join(directory, name));
  return [...at("."), ...at("docs"), ...at(RECIPES)].sort();
}

/** The pages for users without the recipes, in the order in which their commands run. */
export function pages(): Page[] {
  const ordered = [...TOUR, ...RUN_LAST];
  const others = markdownFiles().filter((path) => dirname(path) === "docs" && !ordered.includes(path));
  return [...TOUR, ...others, ...RUN_LAST].map((path) => ({ path, text: read(path) }));
}

/** The recipes, and the page that they begin with. */
export function recipes(): { start: Page; recipes: Page[] } {
  const start = join(RECIPES, "README.md");
  const paths = markdownFiles().filter((path) => dirname(path) === RECIPES && path !== start);
  return { start: { path: start, text: read(start) }, recipes: paths.map((path) => ({ path, text: read(path) })) };
}

/** The code blocks, each with the notes right before it. */
export function blocks(markdown: string): Block[] {
  const pattern = /((?:^<!-- .* -->\n)*)^```(\w*)\n([\s\S]*?)^```$/gm;
  return [...markdown.matchAll(pattern)].map(({ index, 1: comments, 2: language, 3: code }) => ({
    line: markdown.slice(0, index).split("\n").length,
    language: language!,
    code: code!,
    notes: [...comments!.matchAll(/^<!-- (.*) -->$/gm)].map(([, note]) => note!),
  }));
}
