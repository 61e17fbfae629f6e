/** The log: JSON lines on stdout, written in the background and in large chunks. */
import { type Logger, pino } from "pino";
import { reasonOf, redact, redactFields } from "../security/redaction.ts";
import type { WideLine } from "./observe.ts";

/** Writes are expensive compared to lines: lines are buffered for this time, or until FLUSH_BYTES are collected. */
const FLUSH_MS = 500;
const FLUSH_BYTES = 32 * 1024;
/** Maximum unwritten output if the reader has stopped reading; further lines are dropped, and the process continues. */
const MAX_UNWRITTEN_BYTES = 16 * 1024 * 1024;

/** The longest line, in characters. A topic alone may have 65,535 bytes, and JSON up to six characters for each. */
const MAX_LINE = 16 * 1024;
/** Length to which each text of an overlong line is cut. */
const MAX_TEXT = 1024;

export interface ProcessLog {
  logger: Logger;
  /** Writes an `info` line as `logger` would, at a fraction of the cost. */
  wide: WideLine;
  /** Writes all buffered lines now. */
  flush(): void;
  close(): void;
}

export function openLog(level: string): ProcessLog {
  const stdout = pino.destination({ sync: false, maxLength: MAX_UNWRITTEN_BYTES });
  let lines: string[] = [];
  let bytes = 0;
  const hand = () => {
    if (lines.length === 0) return;
    const text = lines.join("");
    lines = [];
    bytes = 0;
    stdout.write(text);
  };
  const write = (written: string) => {
    const line = written.length > MAX_LINE ? shortened(written) : written;
    lines.push(line);
    bytes += line.length;
    if (bytes >= FLUSH_BYTES) hand();
  };
  const timer = setInterval(hand, FLUSH_MS).unref();
  const flush = () => {
    hand();
    stdout.flushSync();
  };
  const logger = cleanLogger(level, { write });
  return {
    logger,
    wide: logger.isLevelEnabled("info")
      ? (members, message) => write(`{"level":30${isoTime()},${members},"msg":"${message}"}\n`)
      : () => undefined,
    flush,
    close: () => {
      clearInterval(timer);
      flush();
    },
  };
}

const asItIs = { err: (err: unknown) => err };

/** A logger whose lines contain only what {@link redactFields} keeps of an error, whatever the name of its field. */
export function cleanLogger(level: string, destination: { write(line: string): void }): Logger {
  const logger = pino(
    {
      level,
      base: undefined,
      timestamp: isoTime,
      // pino's own serializers would get a plain object instead of the error and report "Object" as its type.
      serializers: asItIs,
      formatters: { log: (fields) => redactFields(fields) },
      hooks: {
        logMethod([first, ...more]: unknown[], method) {
          const texts = more.map((text) => (typeof text === "string" ? redact(text) : text));
          const clean =
            first instanceof Error ? [{ err: first }, ...(more.length > 0 ? texts : [reasonOf(first)])] : undefined;
          method.apply(this, (clean ?? [typeof first === "string" ? redact(first) : first, ...texts]) as [object]);
        },
      },
    },
    destination,
  );
  // Fastify sets its own serializers unless the logger has this property.
  return Object.assign(logger, { serializers: asItIs });
}

/**
 * Redirects the console to the log: packages print errors there, with all their properties. Flushed at once, because
 * such output may be the last before the process ends.
 */
export function logConsole({ logger, flush }: ProcessLog): void {
  const print = (...values: unknown[]) => {
    const texts = values.map((value) => (typeof value === "string" ? value : reasonOf(value)));
    logger.warn({ text: texts.join(" ") }, "console");
    flush();
  };
  for (const method of ["log", "info", "warn", "error", "debug", "trace"] as const) console[method] = print;
}

/** Shortens a line of JSON: cuts its texts and, if that is not enough, keeps only level, time and message. */
export function shortened(line: string): string {
  const cut = JSON.parse(line, (_key, value: unknown) =>
    typeof value === "string" && value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT).toWellFormed()}…` : value,
  ) as Record<string, unknown>;
  const text = `${JSON.stringify({ ...cut, shortened: true })}\n`;
  if (text.length <= MAX_LINE) return text;
  const { level, time, msg } = cut;
  return `${JSON.stringify({ level, time, msg, shortened: true })}\n`;
}

/** Like pino's own `isoTime`, but formatted once per millisecond instead of once per line. */
let written = { at: 0, text: "" };
function isoTime(): string {
  const at = Date.now();
  if (at !== written.at) written = { at, text: `,"time":"${new Date(at).toISOString()}"` };
  return written.text;
}
