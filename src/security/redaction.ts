/**
 * Redacts errors before they leave the process: for log lines, API responses, jobs and the terminal. Libraries attach
 * command arguments, queries and sockets to their errors and quote data in messages. A redacted error keeps only known
 * members, without quoted data and with the configured secrets masked.
 */

const MASK = "********";
/** A shorter secret may be part of ordinary words, so it is masked only as a whole word. */
const MIN_UNIQUE = 8;
const MAX_MESSAGE = 1_000;
const MAX_FRAMES = 20;
const MAX_FRAME = 300;
/** Limits for nested causes and for the parts of an aggregate error. */
const MAX_DEPTH = 4;
const MAX_PARTS = 5;
/** Limit for nested fields of a log line. */
const MAX_NESTING = 6;

const hidden = new Set<string>();
let pattern: RegExp | undefined;

/** Masks these values from now on, in every form that a message may quote. */
export function hideSecrets(values: Iterable<string | undefined>): void {
  for (const value of values) for (const form of value ? formsOf(value) : []) hidden.add(form);
  // Longest first, so that a secret that is a prefix of another one does not leave the other's remainder unmasked.
  const forms = [...hidden].sort((a, b) => b.length - a.length).map(toPattern);
  pattern = forms.length > 0 ? new RegExp(forms.join("|"), "g") : undefined;
}

function formsOf(value: string): string[] {
  const lines = value.includes("\n") ? value.split("\n").filter((line) => line.length >= MIN_UNIQUE) : [];
  const body = lines.filter((line) => !line.startsWith("-----"));
  return [value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1), ...body];
}

function toPattern(secret: string): string {
  const literal = secret.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
  return secret.length < MIN_UNIQUE ? `(?<![\\w])${literal}(?![\\w])` : literal;
}

/** Patterns of quoted data in messages, each with its replacement. The patterns are slow on long texts. */
const QUOTES: [RegExp, string][] = [
  // Redis: "unknown command 'x', with args beginning with: 'a' 'b'".
  [/,? with args beginning with:[\s\S]*/, ""],
  // V8: `Unexpected token 'h', "hello" is not valid JSON`.
  [/(?:, )?(?:\.\.\.)?"[\s\S]*"(?:\.\.\.)? is not valid JSON/, " is not valid JSON"],
  // Node: `The "data" argument must be of type string. Received 'hello'`.
  [/(The (?:argument|property|"[^"]+" (?:argument|option|property))[\s\S]*?)\. Received [\s\S]*/, "$1"],
  // Userinfo and query of a URL.
  [/\b([a-z][a-z\d+.-]*:\/\/)[^\s/?#"'`]*@/gi, "$1"],
  [/\b([a-z][a-z\d+.-]*:\/\/[^\s?"'`<>]+)\?[^\s"'`<>]*/gi, "$1"],
];

/** Removes quoted data from a message, masks secrets and truncates it to MAX_MESSAGE. */
export function redact(text: string): string {
  // Masks before truncating: otherwise the beginning of a secret could remain at the end.
  let clean = cut(mask(text), 2 * MAX_MESSAGE);
  for (const [quote, rest] of QUOTES) clean = clean.replace(quote, rest);
  return cut(clean, MAX_MESSAGE);
}

function mask(text: string): string {
  return pattern ? text.replace(pattern, MASK) : text;
}

/** Returns the reason of a failure for messages: the error's redacted message, or its code or name. */
export function reasonOf(error: unknown): string {
  const { message, code, name } = membersOf(error);
  return redact(message) || code || name;
}

/** Form of an error in the log. */
export interface LoggedError {
  type: string;
  message: string;
  code?: string | number;
  stack?: string;
  cause?: LoggedError;
  errors?: LoggedError[];
}

export function toLogged(error: unknown, depth = 0): LoggedError {
  const { message: quoted, name, code, cause, errors, stack } = membersOf(error);
  const message = redact(quoted);
  const deeper = depth < MAX_DEPTH;
  return {
    type: name,
    message,
    ...(code !== undefined && { code: redact(code) }),
    ...(stack !== undefined && { stack: [`${name}: ${message}`, ...framesOf(stack, quoted)].join("\n") }),
    ...(deeper && cause instanceof Error && { cause: toLogged(cause, depth + 1) }),
    ...(deeper && errors && { errors: errors.slice(0, MAX_PARTS).map((part) => toLogged(part, depth + 1)) }),
  };
}

/** Redacts the fields of a log line. Errors and messages may be anywhere in it, under any name. */
export function redactFields(fields: object, depth = 1): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, redactValue(value, depth, name)]));
}

function redactValue(value: unknown, depth: number, name?: string): unknown {
  if (typeof value === "string") return name === "topic" || name === "filter" ? mask(value) : redact(value);
  if (value instanceof Error) return toLogged(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= MAX_NESTING) return "[nested]";
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1));
  // The logger handles dates, sockets and other class instances.
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return redactFields(value, depth + 1);
}

/**
 * Redacts an error in place, for a library that stores its message and stack. An error with a JSON stack stays
 * unchanged: it represents an attempt and contains only data that is meant to be stored.
 */
export function redactInPlace(error: unknown): void {
  if (!(error instanceof Error) || error.stack?.startsWith("{")) return;
  const { message, stack } = toLogged(error);
  error.message = message;
  error.stack = stack ?? message;
}

interface Members {
  message: string;
  name: string;
  code: string | undefined;
  cause: unknown;
  errors: unknown[] | undefined;
  stack: string | undefined;
}

function membersOf(error: unknown): Members {
  if (!(error instanceof Error)) {
    // A thrown value may be data; only a string counts as a message.
    const message = typeof error === "string" ? error : `a value of type ${error === null ? "null" : typeof error}`;
    return { message, name: "Thrown", code: undefined, cause: undefined, errors: undefined, stack: undefined };
  }
  const { message, name, stack, cause, code, errors, previousErrors } = error as Error & Record<string, unknown>;
  const parts = Array.isArray(errors) ? errors : previousErrors; // the latter from a discarded ioredis transaction
  return {
    message: String(message),
    name: String(name || error.constructor.name),
    code: typeof code === "string" || typeof code === "number" ? String(code) : undefined,
    cause,
    errors: Array.isArray(parts) && parts.some((part) => part instanceof Error) ? parts : undefined,
    stack: typeof stack === "string" ? stack : undefined,
  };
}

/** Returns the redacted frames of a stack, without the message at its start, whose lines may look like frames. */
function framesOf(stack: string, message: string): string[] {
  const at = message ? stack.indexOf(message) : -1;
  const frames = (at < 0 ? stack : stack.slice(at + message.length)).split("\n").filter((line) => /^\s+at /.test(line));
  return frames.slice(0, MAX_FRAMES).map((line) => redact(line.slice(0, MAX_FRAME)));
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length).toWellFormed()}…` : text;
}
