/** Why the engine could not run an operation. Anything else is the error that the procedure threw. */
export type EngineErrorCode =
  /** Another process, or another engine of this process, has the file open. */
  | "LOCKED"
  /** The file is not a database, or its content is damaged. */
  | "DAMAGED"
  /** The disk is full. The engine goes on: later operations work as soon as there is room. */
  | "FULL"
  /** The operating system refused to open, read, write or sync the file. */
  | "IO"
  /** The engine was closed, or its thread ended. */
  | "CLOSED";

export class EngineError extends Error {
  override name = "EngineError";

  constructor(
    readonly code: EngineErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** An error as it crosses the thread boundary: structured clones drop the class and own properties. */
export interface WireError {
  name: string;
  message: string;
  stack?: string;
  code?: string | number;
}

export function toWire(error: unknown): WireError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message, stack, code } = error as Error & { code?: string | number };
  return { name, message, stack, code };
}

export function fromWire({ name, message, stack, code }: WireError): Error {
  if (name === "EngineError") return new EngineError(code as EngineErrorCode, message);
  const error = Object.assign(new Error(message), { name, ...(code === undefined ? {} : { code }) });
  if (stack !== undefined) error.stack = stack;
  return error;
}

const CODES: [prefix: RegExp, code: EngineErrorCode, text: string][] = [
  [/^SQLITE_(BUSY|LOCKED)/, "LOCKED", "The database file is locked by another process"],
  [/^SQLITE_(CORRUPT|NOTADB|FORMAT)/, "DAMAGED", "The database file is damaged or not a database"],
  [/^SQLITE_FULL/, "FULL", "The disk of the database file is full"],
  [/^SQLITE_(IOERR|CANTOPEN|READONLY|PERM|NOLFS)/, "IO", "The database file cannot be used"],
];

/** Result codes as numbers, for errors whose code the binding does not name. */
const NUMBERS: Record<number, string> = {
  3: "SQLITE_PERM",
  5: "SQLITE_BUSY",
  6: "SQLITE_LOCKED",
  8: "SQLITE_READONLY",
  10: "SQLITE_IOERR",
  11: "SQLITE_CORRUPT",
  13: "SQLITE_FULL",
  14: "SQLITE_CANTOPEN",
  26: "SQLITE_NOTADB",
};

/** Returns the engine's error for a failure that concerns the file, and other errors as they are. */
export function classify(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof EngineError) return error;
  const { code, rawCode } = error as Error & { code?: unknown; rawCode?: unknown };
  // The binding reports a failure to open only as text.
  const number =
    typeof rawCode === "number" ? rawCode : Number(/^ConnectionFailed\(.*: (\d+)"\)$/.exec(error.message)?.[1]);
  const byNumber = NUMBERS[number & 0xff];
  for (const candidate of [byNumber, typeof code === "string" ? code : undefined]) {
    const match = candidate && CODES.find(([prefix]) => prefix.test(candidate));
    if (match) return new EngineError(match[1], `${match[2]}: ${error.message}`, { cause: error });
  }
  return error;
}
