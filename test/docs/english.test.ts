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

/** The trees are parsed without parents: nothing here looks upwards. */
function parseFile(file: string): ts.SourceFile {
  return ts.createSourceFile(file, readFileSync(join(ROOT, file), "utf8"), ts.ScriptTarget.Latest);
}

/** Starts and ends of literals: what a scanner alone takes for a comment or a division inside of them is text. */
function literals(source: ts.SourceFile): Map<number, number> {
  const found = new Map<number, number>();
  const visit = (node: ts.Node): void => {
    if (ts.isJsxText(node)) found.set(node.pos, node.end);
    else if (ts.isLiteralExpression(node) || ts.isTemplateMiddleOrTemplateTail(node) || ts.isTemplateHead(node))
      found.set(node.getStart(source), node.end);
    else ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Comments without their marks, those before or after the same token as one. */
function comments(source: ts.SourceFile): string[] {
  const ends = literals(source);
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, false, source.languageVariant, source.text);
  const found: string[][] = [];
  // Comments on the line of the token before belong to that token.
  let isTrailing = false;
  let isNew = true;
  for (;;) {
    const end = ends.get(scanner.getTokenEnd());
    if (end !== undefined) {
      scanner.resetTokenState(end);
      isNew = isTrailing = true;
      continue;
    }
    const kind = scanner.scan();
    if (kind === ts.SyntaxKind.EndOfFileToken) break;
    if (kind === ts.SyntaxKind.SingleLineCommentTrivia || kind === ts.SyntaxKind.MultiLineCommentTrivia) {
      const text = scanner
        .getTokenText()
        .replaceAll(/^\s*(?:\/\*\*?|\*\/|\*|\/\/)\s?|\s*\*\/$/gm, "")
        .trim();
      if (isNew) found.push([text]);
      else found.at(-1)!.push(text);
      isNew = false;
    } else if (kind === ts.SyntaxKind.NewLineTrivia) {
      isNew ||= isTrailing;
      isTrailing = false;
    } else if (kind !== ts.SyntaxKind.WhitespaceTrivia) isNew = isTrailing = true;
  }
  return found.map((texts) => texts.join("\n"));
}

/** First arguments of `describe`, `it` and `test`, and the text on pages. */
function titles(source: ts.SourceFile): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isJsxText(node)) found.push(node.text.trim());
    if (ts.isCallExpression(node) && /^(?:describe|it|test)\b/.test(node.expression.getText(source))) {
      const [title] = node.arguments;
      if (title && ts.isStringLiteralLike(title)) found.push(title.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
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
        const source = parseFile(file);
        return [...comments(source), ...titles(source)].filter(isOdd).map((text) => `${file}: ${text}`);
      });
      assert.deepEqual(odd, []);
    });
  }

  it("in openapi/openapi.yaml", () => {
    const document: unknown = parse(readFileSync(join(ROOT, "openapi/openapi.yaml"), "utf8"));
    assert.deepEqual(descriptions(document).filter(isOdd), []);
  });
});
