/** Hooks that refuse all calls, and why. */
import type { Causeway } from "../causeway.ts";
import { isCausewayError } from "../errors.ts";
import { type Finding, failed, ok, skipped } from "./finding.ts";

export async function checkHooks(causeway: Causeway): Promise<Finding[]> {
  const findings: Finding[] = [];
  let count = 0;
  try {
    for await (const { id, name, stoppedReason } of causeway.hooks.list({ limit: 250 })) {
      count++;
      if (stoppedReason === null) continue;
      const advice = `Change its topic, or create it again with another key: causeway hooks get ${id}`;
      findings.push(failed(`hook ${name}`, stoppedReason, advice));
    }
  } catch (error) {
    if (isCausewayError(error, "insufficient_scope")) {
      return [skipped("hooks", "the key lacks the scopes publish and admin")];
    }
    const reason = isCausewayError(error) ? `${error.code}: ${error.detail}` : (error as Error).message;
    return [failed("hooks", reason, "See the log of the bridge.")];
  }
  return findings.length > 0 ? findings : [ok("hooks", count === 0 ? "none exists" : `none of ${count} is stopped`)];
}
