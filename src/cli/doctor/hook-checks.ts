/** Hooks that refuse all calls, and why. */
import { type Causeway, isCausewayError } from "../../client/index.ts";
import { failureOf } from "../failures.ts";
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
    const { code, detail } = failureOf(error);
    return [failed("hooks", `${code}: ${detail}`, "See the log of the bridge.")];
  }
  return findings.length > 0 ? findings : [ok("hooks", count === 0 ? "none exists" : `none of ${count} is stopped`)];
}
