/** Records the calls of inbound hooks: a log line and a metric for each. */
import type { HookCallsOptions } from "../hooks/hook-calls.ts";
import type { CallOutcome } from "../hooks/outcome.ts";
import type { Metrics } from "./metrics.ts";
import type { ObserverLog } from "./observe.ts";

export function createHookObserver(
  log: Pick<ObserverLog, "info">,
  { hookCalls }: Pick<Metrics, "hookCalls">,
): HookCallsOptions["observe"] {
  return {
    hookCalled(hook_id: string, outcome: CallOutcome, message_id?: string): void {
      hookCalls.inc(outcome);
      log.info({ hook_id, outcome, message_id }, "hook_called");
    },
  };
}
