/**
 * Program of a sandbox process, which evaluates JSONata. Only a process can be ended in the middle of a regular
 * expression, or run out of memory without ending the bridge (a worker thread aborts the whole process: tried on
 * Node 20). It reads tasks from standard input, one after the other, and writes each result to standard output.
 */
import { once } from "node:events";
import { writeSync } from "node:fs";
import { Worker } from "node:worker_threads";
import jsonata from "jsonata";
import { LRUCache } from "lru-cache";
import {
  type Evaluated,
  type ExpressionError,
  FILTER_PASSED,
  LONG,
  lineReader,
  READY,
  resultLine,
  type SandboxTask,
  SKIPPED,
  WATCHED_FD,
} from "./sandbox-protocol.ts";

/** Largest result in bytes of JSON, and time limit of an expression in milliseconds. */
const [maxBytes, limitMs] = process.argv.slice(2).map(Number) as [number, number];
/** Limits of one expression over one event: milliseconds, nested calls, and elements of a sequence. */
const LIMITS = { timeout: limitMs, stack: 500, sequence: 100_000 };
/** CPU time in milliseconds from which an evaluation is reported as long. */
const LONG_MS = 3;
/** Time slice in milliseconds: tasks after it are returned, since tasks of other keys may have arrived meanwhile. */
const SLICE_MS = 5;
/** Milliseconds between two readings of the CPU time. */
const SAMPLE_MS = 20;
const TIMED_OUT = "D1012";
/** Maximum number of compiled expressions in memory. Each webhook has at most two. */
const MAX_COMPILED = 1_000;
const MAX_DETAIL = 300;

const compiled = new LRUCache<string, jsonata.Expression>({ max: MAX_COMPILED });
const truth = jsonata("$boolean($value)");

function compile(text: string): jsonata.Expression {
  let expression = compiled.get(text);
  if (!expression) {
    expression = jsonata(text, LIMITS);
    // Device data must not be executed as a program.
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

/** Omits JSONata's functions, which are objects with internal members. */
function withoutFunctions(_name: string, value: unknown): unknown {
  const { _jsonata_function, _jsonata_lambda } = (value ?? {}) as Record<string, unknown>;
  return _jsonata_function === true || _jsonata_lambda === true ? undefined : value;
}

async function perform({ filter, transform, check }: SandboxTask, event: unknown): Promise<Evaluated> {
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

/** JSONata throws its own objects; the JavaScript engine throws errors, e.g. when nesting is too deep. */
function explain(thrown: unknown): string {
  const { message, position } = thrown as { message?: unknown; position?: unknown };
  const text = typeof message === "string" && message !== "" ? message : "it cannot be evaluated";
  const detail = text.replaceAll("\u0000", "\ufffd").slice(0, MAX_DETAIL).toWellFormed();
  return typeof position === "number" ? `${detail} (at character ${position})` : detail;
}

/**
 * Ends the process when the bridge is gone, which closes its end of the pipe however it dies. Runs in a second thread,
 * since the first may be busy in a regular expression. Plain JavaScript: TypeScript would need its loader once more.
 */
const WATCHDOG = `
const bridge = new (require("node:net").Socket)({ fd: ${WATCHED_FD} });
bridge.on("error", () => {}).on("close", () => process.kill(process.pid, "SIGKILL")).resume();`;
const watchdog = new Worker(WATCHDOG, { eval: true, execArgv: [] });
watchdog.unref();
const watching = once(watchdog, "online");

let done: Promise<void> = Promise.resolve();
/** Tasks read but not finished. */
let pending = 0;
/** The time slice begins with the first task after an idle period. */
const slice = { startedAt: 0, tasks: 0 };
/** CPU time at the end of a recent slice: reading it for every slice costs too much. */
let recent = { at: 0, cpu: process.cpuUsage() };

async function answerTo(line: string): Promise<string> {
  const startedAt = performance.now();
  if (slice.tasks++ === 0) slice.startedAt = startedAt;
  else if (startedAt - slice.startedAt > SLICE_MS) return `${SKIPPED}\n`;
  const { task, event } = JSON.parse(line) as { task: SandboxTask; event: unknown };
  let result: Evaluated;
  // JSONata limits wall-clock time, which says little about the expression on a busy machine.
  do result = await perform(task, event);
  while (result.kind === "failed" && result.slow && cpuMs() < limitMs);
  const tookMs = performance.now() - startedAt;
  if (tookMs < LONG_MS) return resultLine(result);
  // The CPU time includes that of a few earlier tasks.
  const longMs = Math.round(Math.min(tookMs, cpuMs()));
  return longMs < LONG_MS ? resultLine(result) : `${LONG}${longMs}\n${resultLine(result)}`;
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage(recent.cpu);
  return (user + system) / 1_000;
}

process.stdin.setEncoding("utf8").on(
  "data",
  lineReader((line) => {
    pending++;
    done = done.then(async () => {
      // Written synchronously, since the reader must see which task never ends.
      writeSync(1, await answerTo(line));
      if (--pending > 0) return;
      slice.tasks = 0;
      // After a long task at once: the next one is not charged with its CPU time.
      const now = performance.now();
      if (now - recent.at > SAMPLE_MS) recent = { at: now, cpu: process.cpuUsage() };
    });
  }),
);
process.stdin.on("end", () => process.exit(0));
// A signal to the process group is meant for the bridge, which finishes its calls and then ends this process.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => {});
// Warm-up: the engine compiles the code that every evaluation needs, so that the first task is quick.
await jsonata('$split(subject, "/")[1] & $string(data.a > 0)').evaluate({ subject: "a/b", data: { a: 1 } });
// The start of a thread and the warm-up take more CPU time than an expression may: they must not count as its own.
await watching;
recent = { at: performance.now(), cpu: process.cpuUsage() };
writeSync(1, `${READY}\n`);
