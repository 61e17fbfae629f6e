/** Reports every attempt that was made. */
import type { Attempt, Attempted, Sending } from "./attempt.ts";

export interface AttemptObserver {
  attempted(sending: Pick<Sending, "webhook" | "message" | "attempt">, attempted: Attempted): void;
}

export function withObservation(observe: AttemptObserver, attempt: Attempt): Attempt {
  return async (sending) => {
    const outcome = await attempt(sending);
    if (outcome.kind === "attempted") observe.attempted(sending, outcome);
    return outcome;
  };
}
