/**
 * A process of its own that evaluates JSONata: only a process can be ended in the middle of a regular expression, and
 * only a process can run out of memory without taking the bridge with it (a worker thread aborts the whole process:
 * tried on Node 20). It reads tasks from its standard input, one after the other, and writes what came of each.
 */
import { writeSync } from "node:fs";
import { Worker } from "node:worker_threads";
import jsonata from "jsonata";
import {
  type Evaluated,
  type ExpressionError,
  FILTER_PASSED,
  lineReader,
  READY,
  resultLine,
  type Task,
  WATCHED_FD,
} from "./expression-lines.ts";

/** Milliseconds, nested calls, and elements of a sequence for one expression over one event. */
const LIMITS = { timeout: 100, stack: 500, sequence: 100_000 };
const TIMED_OUT = "D1012";
/** Compiled expressions that are kept. Each webhook has at most two. */
const MAX_COMPILED = 1_000;
const MAX_DETAIL = 300;
/** The largest result, in bytes of JSON. */
const maxBytes = Number(process.argv[2]);

const compiled = new Map<string, jsonata.Expression>();
const truth = jsonata("$boolean($value)");

function compile(text: string): jsonata.Expression {
  let expression = compiled.get(text);
  if (!expression) {
    if (compiled.size >= MAX_COMPILED) compiled.delete(compiled.keys().next().value!);
    expression = jsonata(text, LIMITS);
    // What a device sends is data: it must not become a part of the program.
    expression.assign("eval", undefined);
    compiled.set(text, expression);
  }
  return expression;
}

async function isTrue(filter: string, event: unknown): Promise<boolean> {
  const value = await compile(filter).evaluate(event);
  if (typeof value === "boolean") return value;
  return (await truth.evaluate(null, { value })) === true;
}

async function transformed(transform: string, event: unknown): Promise<string> {
  const value = await compile(transform).evaluate(event);
  const text = JSON.stringify(value, withoutFunctions) as string | undefined;
  if (text === undefined) throw new Error("the result is nothing");
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) throw new Error(`the result has ${bytes} bytes, more than the limit of ${maxBytes}`);
  return text;
}

/** JSONata's functions are objects, whose inside is nobody's business. */
function withoutFunctions(_name: string, value: unknown): unknown {
  const { _jsonata_function, _jsonata_lambda } = (value ?? {}) as Record<string, unknown>;
  return _jsonata_function === true || _jsonata_lambda === true ? undefined : value;
}

async function perform({ filter, transform, check }: Task, event: unknown): Promise<Evaluated> {
  let error: ExpressionError = "filter_error";
  try {
    if (check !== undefined) jsonata(check);
    if (filter !== undefined && !(await isTrue(filter, event))) return { kind: "filtered" };
    if (transform === undefined) return { kind: "kept" };
    error = "transform_error";
    if (filter !== undefined) writeSync(1, `${FILTER_PASSED}\n`);
    return { kind: "kept", data: await transformed(transform, event) };
  } catch (thrown) {
    const { code } = thrown as { code?: string };
    return { kind: "failed", error, detail: explain(thrown), ...(code === TIMED_OUT && { slow: true }) };
  }
}

/** JSONata throws objects of its own; the engine throws errors, e.g. where nesting is too deep for it. */
function explain(thrown: unknown): string {
  const { message, position } = thrown as { message?: unknown; position?: unknown };
  const text = typeof message === "string" && message !== "" ? message : "it cannot be evaluated";
  const detail = text.replaceAll("\u0000", "\ufffd").slice(0, MAX_DETAIL).toWellFormed();
  return typeof position === "number" ? `${detail} (at character ${position})` : detail;
}

/**
 * A second thread, for the first may be deep in a regular expression: ends the process when the bridge is gone, which
 * closes its end of the pipe however it dies. Plain JavaScript, since a thread would load the loader of TypeScript again.
 */
const WATCHDOG = `
const bridge = new (require("node:net").Socket)({ fd: ${WATCHED_FD} });
bridge.on("error", () => {}).on("close", () => process.kill(process.pid, "SIGKILL")).resume();`;
new Worker(WATCHDOG, { eval: true, execArgv: [] }).unref();

let done: Promise<void> = Promise.resolve();

process.stdin.setEncoding("utf8").on(
  "data",
  lineReader((line) => {
    done = done.then(async () => {
      const { task, event } = JSON.parse(line) as { task: Task; event: unknown };
      // At once, and not when the event loop comes round: the reader must see which task never ends.
      writeSync(1, resultLine(await perform(task, event)));
    });
  }),
);
process.stdin.on("end", () => process.exit(0));
// A signal to the whole group is for the bridge, which has calls to finish and ends this process then.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => {});
writeSync(1, `${READY}\n`);
