/** Turns refusals, which are values below `api/`, into Problems. */
import { Problem, Refused } from "../errors.ts";

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
