/** The log: JSON lines on stdout, written in the background and in large pieces. */
import { type Logger, pino } from "pino";
import { reasonOf, redact, redactFields } from "../security/redaction.ts";
import type { WideLine } from "./observe.ts";

/** A line is cheap, a write is not: lines wait for company this long, or until there are enough of them. */
const FLUSH_MS = 500;
const FLUSH_BYTES = 32 * 1024;
/** What a reader that has stopped reading may leave unwritten; lines beyond are dropped, the process goes on. */
const MAX_UNWRITTEN_BYTES = 16 * 1024 * 1024;

/** The longest line, in characters. A topic alone may have 65,535 bytes, and six characters for each of them. */
const MAX_LINE = 16 * 1024;
/** What is left of each text in a line that would be longer. */
const MAX_TEXT = 1024;

export interface Log {
  logger: Logger;
  /** Writes an `info` line as `logger` would, at a fraction of the cost. */
  wide: WideLine;
  /** Writes everything there is, now. */
  flush(): void;
  close(): void;
}

export function openLog(level: string): Log {
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

/** A logger whose lines hold no more of an error than {@link redactFields} leaves of it, whatever name it has there. */
export function cleanLogger(level: string, destination: { write(line: string): void }): Logger {
  const logger = pino(
    {
      level,
      base: undefined,
      timestamp: isoTime,
      // Their own would see a plain object in the place of the error, and take "Object" for its type.
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
  // Fastify sets its own serializers unless the logger names some here.
  return Object.assign(logger, { serializers: asItIs });
}

/**
 * Packages print what they have no other way to say to the console, errors with everything attached to them among it:
 * it becomes lines of the log. Flushed at once, since it is also what is said last before the process ends.
 */
export function logConsole({ logger, flush }: Log): void {
  const print = (...values: unknown[]) => {
    const texts = values.map((value) => (typeof value === "string" ? value : reasonOf(value)));
    logger.warn({ text: texts.join(" ") }, "console");
    flush();
  };
  for (const method of ["log", "info", "warn", "error", "debug", "trace"] as const) console[method] = print;
}

/** A line of JSON whose texts are cut, and if that is not enough all of it but what it is about. */
export function shortened(line: string): string {
  const cut = JSON.parse(line, (_key, value: unknown) =>
    typeof value === "string" && value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT).toWellFormed()}…` : value,
  ) as Record<string, unknown>;
  const text = `${JSON.stringify({ ...cut, shortened: true })}\n`;
  if (text.length <= MAX_LINE) return text;
  const { level, time, msg } = cut;
  return `${JSON.stringify({ level, time, msg, shortened: true })}\n`;
}

/** As pino's own `isoTime`, written once a millisecond and not once a line. */
let written = { at: 0, text: "" };
function isoTime(): string {
  const at = Date.now();
  if (at !== written.at) written = { at, text: `,"time":"${new Date(at).toISOString()}"` };
  return written.text;
}
