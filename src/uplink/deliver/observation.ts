/** Reports every attempt that was made. */
import type { Attempt, Attempted, Sending } from "./attempt.ts";

export interface AttemptObserver {
  attempted(sending: Sending, attempted: Attempted): void;
}

export function withObservation(observe: AttemptObserver, attempt: Attempt): Attempt {
  return async (sending) => {
    const outcome = await attempt(sending);
    if (outcome.kind === "attempted") observe.attempted(sending, outcome);
    return outcome;
  };
}
