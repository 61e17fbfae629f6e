/** The English of comments, test titles and the API description: plain sentences that open with their subject. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import ts from "typescript";
import { parse } from "yaml";
import { ROOT } from "./pages.ts";

/** A relative clause in the place of a noun, and pronouns that name nothing. */
const ODD = [/(?:^|[.:;] )(?:What|Of|Those|Whoever|That which) (?![^.]*\?)/, /\b(?:nobody|somebody|whoever)\b/i];
const GENERATED = "src/http/contract/generated.ts";

const isOdd = (text: string) => ODD.some((pattern) => pattern.test(text));

function typescriptFiles(folder: string): string[] {
  const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
  return files.filter((file) => /\.tsx?$/.test(file)).map((file) => join(folder, file));
}

/** Comments without their marks, those before or after the same token as one. */
function comments(file: string, source: string): string[] {
  const found = new Map<number, string>();
  const add = (ranges: ts.CommentRange[] | undefined) => {
    const texts = (ranges ?? []).map(({ pos, end }) =>
      source
        .slice(pos, end)
        .replaceAll(/^\s*(?:\/\*\*?|\*\/|\*|\/\/)\s?|\s*\*\/$/gm, "")
        .trim(),
    );
    if (ranges) found.set(ranges[0]!.pos, texts.join("\n"));
  };
  // From the parsed tree: a scanner by itself takes the end of a template literal for the beginning of another.
  const visit = (node: ts.Node): void => {
    if (ts.isJsxText(node)) return;
    if (node.getChildCount() === 0) {
      add(ts.getLeadingCommentRanges(source, node.getFullStart()));
      add(ts.getTrailingCommentRanges(source, node.getEnd()));
    }
    node
      .getChildren()
      .filter((child) => child.kind !== ts.SyntaxKind.JSDoc)
      .forEach(visit);
  };
  visit(ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true));
  return [...found.values()];
}

/** First arguments of `describe`, `it` and `test`, and the text on pages. */
function titles(file: string, source: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isJsxText(node)) found.push(node.text.trim());
    if (ts.isCallExpression(node) && /^(?:describe|it|test)\b/.test(node.expression.getText())) {
      const [title] = node.arguments;
      if (title && ts.isStringLiteralLike(title)) found.push(title.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true));
  return found;
}

function descriptions(value: unknown): string[] {
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, member]) =>
    (key === "description" || key === "summary") && typeof member === "string" ? [member] : descriptions(member),
  );
}

describe("plain English", () => {
  for (const folder of ["src", "test", "bench", "dashboard/src"]) {
    it(`in the comments, titles and pages of ${folder}/`, () => {
      const odd = typescriptFiles(folder).flatMap((file) => {
        if (file === GENERATED) return [];
        const source = readFileSync(join(ROOT, file), "utf8");
        return [...comments(file, source), ...titles(file, source)].filter(isOdd).map((text) => `${file}: ${text}`);
      });
      assert.deepEqual(odd, []);
    });
  }

  it("in openapi/openapi.yaml", () => {
    const document: unknown = parse(readFileSync(join(ROOT, "openapi/openapi.yaml"), "utf8"));
    assert.deepEqual(descriptions(document).filter(isOdd), []);
  });
});
