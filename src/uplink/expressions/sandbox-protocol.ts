/**
 * What the bridge and the process that evaluates expressions say to each other: one line of text each. JSON never needs
 * a line feed, so neither side has to know how long a line is.
 */

/** What is to be done with one event. Absent: not wanted. */
export interface Task {
  /** JSONata; the event is left out where it is not true. */
  filter?: string;
  /** JSONata; its result replaces the data. */
  transform?: string;
  /** JSONata; only its syntax is looked at. */
  check?: string;
}

/** What came of it. */
export type Evaluated =
  /** `data` is the JSON text of the transform's result. */
  | { kind: "kept"; data?: string }
  | { kind: "filtered" }
  | { kind: "failed"; error: ExpressionError; detail: string; slow?: boolean }
  /** Not evaluated this time, e.g. because the expression exceeded its limits too often. */
  | { kind: "refused"; error: ExpressionError; detail: string };

export type ExpressionError = "filter_error" | "transform_error";

/** A pipe that nobody writes to: its end is the end of the bridge. */
export const WATCHED_FD = 3;
/** The first line of the process: it can be given work. */
export const READY = "ready";
/** The line between the two expressions of an event, so that the one that never ends can be named. */
export const FILTER_PASSED = "filter passed";
/** Begins the line before the result of a long evaluation; its CPU time in milliseconds follows. */
export const LONG = "long ";
/** In place of a result: the process spent its time slice on earlier tasks, and the task is to be given again. */
export const SKIPPED = "skipped";

/** @param event JSON text. What lies between its tokens may be line feeds; within strings they are escaped. */
export function taskLine(task: Task, event: string): string {
  return `{"task":${JSON.stringify(task)},"event":${event.includes("\n") ? event.replaceAll("\n", " ") : event}}\n`;
}

/** The data is not written as a string within JSON, which would escape and unescape all of it. */
export function resultLine(result: Evaluated): string {
  if (result.kind === "kept" && result.data !== undefined) return `data ${result.data}\n`;
  return `${JSON.stringify(result)}\n`;
}

export function readResult(line: string): Evaluated {
  if (line.startsWith("data ")) return { kind: "kept", data: line.slice("data ".length) };
  return JSON.parse(line) as Evaluated;
}

/** Cuts what comes in pieces into lines. */
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
