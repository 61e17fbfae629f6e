/** The Problem of a response (RFC 9457), and how refusals, which are values below `api/`, turn into Problems. */
import { catalogue, type FieldError, type ProblemCode, Refused } from "../errors.ts";

interface ProblemOptions {
  errors?: FieldError[];
  headers?: Record<string, string>;
  cause?: unknown;
}

/** A refusal returned to the client, including its `detail`: never put a secret there. */
export class Problem extends Error {
  readonly status: number;
  readonly title: string;
  readonly errors: FieldError[] | undefined;
  readonly headers: Record<string, string>;

  constructor(
    readonly code: ProblemCode,
    readonly detail: string,
    options: ProblemOptions = {},
  ) {
    super(detail, { cause: options.cause });
    this.name = "Problem";
    [this.status, this.title] = catalogue[code];
    this.errors = options.errors;
    this.headers = options.headers ?? {};
  }

  /** The RFC 9457 body. */
  toJSON(): Record<string, unknown> {
    const { status, title, code, detail, errors } = this;
    return { type: `urn:causeway:problem:${code}`, title, status, detail, code, ...(errors && { errors }) };
  }
}

/** Creates a refusal for a single field. */
export function fieldProblem(code: ProblemCode, path: string, message: string): Problem {
  return new Problem(code, `${path}: ${message}`, { errors: [{ path, message }] });
}

/** Creates a refusal for all invalid fields; an empty path is the body itself. */
export function fieldsProblem(errors: FieldError[], code: ProblemCode = "invalid_request"): Problem {
  const detail = errors.map(({ path, message }) => `${path || "body"}: ${message}`).join("; ");
  return new Problem(code, detail, { errors });
}

/** The Problem with the code, the detail and the fields of a refusal. */
export function problemOf({ code, detail, errors, retryAfterSeconds }: Refused): Problem {
  return new Problem(code, detail, {
    ...(errors && { errors }),
    ...(retryAfterSeconds !== undefined && { headers: { "retry-after": String(retryAfterSeconds) } }),
  });
}

/** Returns the value of an outcome. @throws Problem if the outcome is a refusal */
export function unwrap<T>(outcome: T | Refused): T {
  if (outcome instanceof Refused) throw problemOf(outcome);
  return outcome;
}

/** Names the fields of a Problem relative to the whole body, as in `messages[3].topic` or `webhook.url`. */
export function within(outer: string, problem: Problem): Problem {
  if (!problem.errors) return problem;
  const errors = problem.errors.map(({ path, message }) => ({ path: below(outer, path), message }));
  const detail = errors.map(({ path, message }) => `${path}: ${message}`).join("; ");
  return new Problem(problem.code, detail, { errors, cause: problem });
}

function below(outer: string, path: string): string {
  if (path === "" || path.startsWith("[")) return outer + path;
  return `${outer}.${path}`;
}
