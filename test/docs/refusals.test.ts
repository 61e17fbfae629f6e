/** A refusal is a value, so the compiler lets a caller drop it: then an access check would have no effect. */
import assert from "node:assert/strict";
import { join, relative } from "node:path";
import { it } from "node:test";
import ts from "typescript";

const ROOT = join(import.meta.dirname, "../..");

/** Returns the calls whose result contains a `Refused` that the program drops, as `file:line`. */
function droppedRefusals(files: string[], options: ts.CompilerOptions): string[] {
  const program = ts.createProgram(files, options);
  const checker = program.getTypeChecker();
  const refuses = (type: ts.Type): boolean => {
    if (type.isUnion()) return type.types.some(refuses);
    const name = type.symbol?.name;
    return (
      name === "Refused" || (name === "Promise" && checker.getTypeArguments(type as ts.TypeReference).some(refuses))
    );
  };
  const dropped: string[] = [];
  for (const source of program.getSourceFiles()) {
    if (!files.includes(source.fileName)) continue;
    const visit = (node: ts.Node): void => {
      if (
        ts.isExpressionStatement(node) &&
        !ts.isBinaryExpression(node.expression) &&
        refuses(checker.getTypeAtLocation(node.expression))
      ) {
        const { line } = source.getLineAndCharacterOfPosition(node.getStart());
        dropped.push(`${relative(ROOT, source.fileName)}:${line + 1}`);
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return dropped;
}

it("no caller drops a refusal", () => {
  const { config } = ts.readConfigFile(join(ROOT, "tsconfig.json"), ts.sys.readFile);
  const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const files = fileNames.filter((file) => file.startsWith(join(ROOT, "src/")));
  // The check itself is checked: these two drop a refusal, one of them awaited.
  const sample = join(ROOT, "test/docs/dropped-refusals.ts");
  assert.deepEqual(droppedRefusals([sample, ...files], options), [
    "test/docs/dropped-refusals.ts:8",
    "test/docs/dropped-refusals.ts:9",
  ]);
});
