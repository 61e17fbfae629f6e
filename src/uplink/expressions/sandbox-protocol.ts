/**
 * Protocol between the bridge and a sandbox process: one line of text per message. JSON never needs a line feed, so a
 * message needs no length.
 */

/** Task of the sandbox process for one event. An absent expression is skipped. */
export interface SandboxTask {
  /** JSONata; the event is dropped unless the result is true. */
  filter?: string;
  /** JSONata; its result replaces the data. */
  transform?: string;
  /** JSONata; only its syntax is checked. */
  check?: string;
}

/** Result of a task. */
export type Evaluated =
  /** `data` is the JSON text of the transform's result. */
  | { kind: "kept"; data?: string }
  | { kind: "filtered" }
  | { kind: "failed"; error: ExpressionError; detail: string; slow?: boolean }
  /** Not evaluated this time, e.g. because the expression exceeded its limits too often. */
  | { kind: "refused"; error: ExpressionError; detail: string };

export type ExpressionError = "filter_error" | "transform_error";

/** A pipe without data, which closes when the bridge ends. */
export const WATCHED_FD = 3;
/** First line of the process: it accepts tasks. */
export const READY = "ready";
/** Line between filter and transform of an event, which shows which of the two never ends. */
export const FILTER_PASSED = "filter passed";
/** Prefix of the line before the result of a long evaluation; its CPU time in milliseconds follows. */
export const LONG = "long ";
/** Replaces a result: earlier tasks used up the time slice of the process, and the task must be given again. */
export const SKIPPED = "skipped";

/** @param event JSON text, whose line feeds can only be between tokens: within strings they are escaped */
export function taskLine(task: SandboxTask, event: string): string {
  return `{"task":${JSON.stringify(task)},"event":${event.includes("\n") ? event.replaceAll("\n", " ") : event}}\n`;
}

/** Writes the data outside JSON: as a JSON string all of it would have to be escaped and unescaped. */
export function resultLine(result: Evaluated): string {
  if (result.kind === "kept" && result.data !== undefined) return `data ${result.data}\n`;
  return `${JSON.stringify(result)}\n`;
}

export function readResult(line: string): Evaluated {
  if (line.startsWith("data ")) return { kind: "kept", data: line.slice("data ".length) };
  return JSON.parse(line) as Evaluated;
}

/** Splits a stream of chunks into lines. */
export function lineReader(onLine: (line: string) => void): (chunk: string) => void {
  let rest: string[] = [];
  return (chunk) => {
    let from = 0;
    for (let end = chunk.indexOf("\n"); end >= 0; end = chunk.indexOf("\n", from)) {
      rest.push(chunk.slice(from, end));
      const line = rest.join("");
      rest = [];
      from = end + 1;
      onLine(line);
    }
    if (from < chunk.length) rest.push(chunk.slice(from));
  };
}
