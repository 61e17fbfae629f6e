/** Problems for the errors of other parts, thrown where a caller must not ignore them. */
import { OutboxFullError } from "../downlink/stored-publish.ts";
import { BrokerQueryError } from "../errors.ts";
import { Problem } from "../http/problem.ts";
import { ConflictError } from "../store/record-cache.ts";

/** The bridge tries to reach an unavailable store at least every second. */
const SOON = { "retry-after": "1" };

const QUERY_CODES = { unavailable: "broker_unavailable", refused: "broker_refused", busy: "rate_limited" } as const;

/** Creates a function that returns the Problem of a known error. @param isOutage whether the store is unavailable */
export function createExplain(isOutage: (error: unknown) => boolean): (error: unknown) => Problem | undefined {
  return (error) => {
    if (error instanceof ConflictError) return new Problem("conflict", error.message);
    if (error instanceof OutboxFullError) return new Problem("rate_limited", error.message, { headers: SOON });
    if (error instanceof BrokerQueryError)
      return new Problem(QUERY_CODES[error.kind], error.message, error.kind === "refused" ? {} : { headers: SOON });
    if (!isOutage(error)) return undefined;
    return new Problem("store_unavailable", "the store is unavailable", { headers: SOON, cause: error });
  };
}
