/** House rules that no linter checks: lengths of files and functions, sizes of rooms, one declaration a type name. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { it } from "node:test";
import ts from "typescript";

const MAX_FILE_LINES = 250;
const MAX_FUNCTION_LINES = 80;
/** In each folder of `uplink/`, without its subfolders. */
const MAX_FILES = 12;

/** Longer files and functions, each with its reason: `file` or `file function`. */
const LONG: Record<string, string> = {
  "bullmq-sqlite/procedures/details.ts detailProcedures": "a table of procedures",
  "bullmq-sqlite/procedures/move.ts moveProcedures": "a table of procedures",
  "bullmq-sqlite/procedures/schedulers.ts schedulerProcedures": "a table of procedures",
  "wiring/lifecycle.ts lifecycle": "the table of the parts",
};

/** Type names that are declared more than once, each with its reason. */
const DUPLICATES: Record<string, string> = {};

const read = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.tsx?$/.test(file) && !/\.d\.ts$|^http\/contract\/generated\.ts$/.test(file))
    .map((file) => {
      const text = readFileSync(join(folder, file), "utf8");
      return { file, text, source: ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true) };
    });

const files = read("src");
const pages = read("dashboard/src");

/** All nodes without tokens: `getChildren` would scan the text again. */
function nodesOf(node: ts.Node): ts.Node[] {
  const found: ts.Node[] = [];
  const visit = (at: ts.Node): void => {
    found.push(at);
    ts.forEachChild(at, visit);
  };
  visit(node);
  return found;
}

/** The declared name, or the name of the variable or property that holds the function. */
function nameOf(node: ts.FunctionLikeDeclaration): string {
  if (node.name) return node.name.getText();
  if (ts.isConstructorDeclaration(node)) return "constructor";
  const { parent } = node;
  return ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent) ? parent.name.getText() : "anonymous";
}

it("files and functions are short", () => {
  const long: string[] = [];
  for (const { file, text, source } of [...files, ...pages]) {
    if (text.split("\n").length - 1 > MAX_FILE_LINES) long.push(file);
    for (const node of nodesOf(source)) {
      if (!ts.isFunctionLike(node) || !("body" in node) || !node.body) continue;
      const [first, last] = [node.getStart(), node.getEnd()].map((at) => source.getLineAndCharacterOfPosition(at).line);
      if (last! - first! + 1 > MAX_FUNCTION_LINES) long.push(`${file} ${nameOf(node as ts.FunctionLikeDeclaration)}`);
    }
  }
  assert.deepEqual(long.sort(), Object.keys(LONG).sort());
});

it("the rooms of the uplink are small", () => {
  const rooms = new Map<string, number>();
  for (const { file } of files) rooms.set(dirname(file), (rooms.get(dirname(file)) ?? 0) + 1);
  const large = [...rooms].filter(([room, count]) => room.startsWith("uplink") && count > MAX_FILES);
  assert.deepEqual(large, [], "files that belong together make a folder of their own");
});

it("a type name is declared once", () => {
  const places = new Map<string, string[]>();
  for (const { file, source } of files) {
    // Packages of their own, with their own names.
    if (/^(bullmq-sqlite|client|receiver)\//.test(file)) continue;
    for (const node of nodesOf(source)) {
      if (!ts.isInterfaceDeclaration(node) && !ts.isTypeAliasDeclaration(node) && !ts.isClassDeclaration(node))
        continue;
      // `declare module` extends a type of a package.
      if (node.name && !isAugmentation(node)) {
        places.set(node.name.text, [...(places.get(node.name.text) ?? []), file]);
      }
    }
  }
  const duplicates = [...places].filter(([, where]) => where.length > 1);
  const known = Object.keys(DUPLICATES);
  assert.deepEqual(
    duplicates.filter(([name]) => !known.includes(name)).map(([name, where]) => `${name}: ${where.join(", ")}`),
    [],
  );
  assert.deepEqual(
    known.filter((name) => !duplicates.some(([found]) => found === name)),
    [],
    "these are declared once now",
  );
  assert.ok(Object.keys(DUPLICATES).length <= 10, "at most ten exceptions");
});

function isAugmentation(node: ts.Node): boolean {
  for (let at: ts.Node | undefined = node; at; at = at.parent) if (ts.isModuleDeclaration(at)) return true;
  return false;
}
