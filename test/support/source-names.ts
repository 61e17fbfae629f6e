/** Names in the source code: log events and SQL. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const SOURCE = fileURLToPath(new URL("../../src", import.meta.url));
const LOG_METHODS = new Set(["debug", "info", "warn", "error", "fatal", "log", "wide"]);

export function sourceTexts(): string[] {
  const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter((file) => /(?<!\.d)\.ts$/.test(file));
  return files.map((file) => readFileSync(join(SOURCE, file), "utf8"));
}

/**
 * Returns the event names of log lines: the snake_case string in `log.warn(fields, "event")` and similar calls, and in
 * the actions of a reducer, `{ type: "report", event: "event", … }`.
 */
export function logEvents(): string[] {
  const events = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const callee = ts.isPropertyAccessExpression(node.expression) ? node.expression.name : node.expression;
      const last = node.arguments.at(-1);
      if (
        last &&
        ts.isStringLiteralLike(last) &&
        LOG_METHODS.has(callee.getText()) &&
        /^[a-z]+(_[a-z]+)*$/.test(last.text)
      )
        events.add(last.text);
    }
    if (ts.isObjectLiteralExpression(node) && textOf(node, "type") === "report") events.add(textOf(node, "event")!);
    ts.forEachChild(node, visit);
  };
  for (const text of sourceTexts()) visit(ts.createSourceFile("source.ts", text, ts.ScriptTarget.Latest, true));
  return [...events].sort();
}

function textOf(node: ts.ObjectLiteralExpression, name: string): string | undefined {
  const property = node.properties.find((one) => one.name?.getText() === name);
  if (!property || !ts.isPropertyAssignment(property)) return undefined;
  return ts.isStringLiteralLike(property.initializer) ? property.initializer.text : undefined;
}

/** Returns the tables and indexes that the embedded store creates. */
export function sqlNames(): string[] {
  const created =
    /CREATE (?:UNIQUE )?(?:TABLE|INDEX|TRIGGER|FUNCTION|OR REPLACE FUNCTION)(?: IF NOT EXISTS)? ([\w."$]+)/g;
  const names = sourceTexts().flatMap((text) => [...text.matchAll(created)].map((match) => match[1]!));
  return [...new Set(names)].sort();
}
