/** Outbox gate of requests: before the publish, the subscription for the response must be active. */
import { type PublishGate, ShutForGood } from "./stored-publish.ts";

/** Name of the gate in stored messages. */
export const RESPONSES_GATE = "answers";

/** How long the gate waits for a subscription before the outbox checks its message again. */
const SYNCHRONIZED_MS = 5_000;

export interface ResponseGateOptions {
  requests: {
    /** Ensures that the response topic of a request is wanted. @throws ShutForGood if the request has failed */
    ensureCached(id: string): Promise<void>;
    /** Returns the filter subscribed for the response; undefined for an unknown request. */
    filterOf(id: string): string | undefined;
  };
  subscriptions: {
    /** Whether all wanted subscriptions are active; false after `timeoutMs`. */
    untilSynchronized(timeoutMs: number): Promise<boolean>;
    /** Filters whose subscription the broker refused, with the reason. */
    refusedFilters(): ReadonlyMap<string, string>;
  };
}

export function createResponseGate({ requests, subscriptions }: ResponseGateOptions): PublishGate {
  return async ({ id }) => {
    // The subscriptions follow this instance's record cache, and another instance may have accepted the request.
    await requests.ensureCached(id);
    if (!(await subscriptions.untilSynchronized(SYNCHRONIZED_MS)))
      throw new Error("the subscription for the answer does not stand yet");
    const filter = requests.filterOf(id);
    const reason = filter === undefined ? undefined : subscriptions.refusedFilters().get(filter);
    if (reason !== undefined) throw new ShutForGood(`no answer could arrive at ${filter}: ${reason}`);
  };
}
