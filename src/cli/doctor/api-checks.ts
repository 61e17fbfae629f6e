/** Checks by the HTTP API: reachability, readiness, clock and status of the bridge. */

import { failed, ok, skipped } from "../../client/doctor/finding.ts";
import {
  type Causeway,
  CausewayError,
  checkClock,
  type Finding,
  readyFindings,
  type Status,
  statusFindings,
} from "../../client/index.ts";
import { failureOf } from "../failures.ts";

const TIMEOUT_MS = 10_000;

interface ReadyChecks {
  checks: Record<string, { ok: boolean; detail?: string }>;
}

/** Calls `/readyz`, which needs no key. Returns undefined as `date` if the bridge was not reached. */
export async function checkReachable(url: string): Promise<{ findings: Finding[]; isReached: boolean }> {
  const sentAt = Date.now();
  const base = url.replace(/\/+$/, "");
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(`${base}/readyz`, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: "manual" });
    body = await response.json().catch(() => undefined);
  } catch (error) {
    const advice = "Start the bridge (causeway start), or name another one with --bridge, CAUSEWAY_URL or a profile.";
    return { findings: [failed("bridge", `${base} cannot be reached: ${reasonOf(error)}`, advice)], isReached: false };
  }
  const clock = checkClock(response.headers.get("date"), sentAt, Date.now());
  if (!isReadiness(body)) {
    const advice = "Check the address, its path prefix and the proxies in between.";
    const detail = `${base}/readyz answers ${response.status}, and not as a bridge does`;
    return { findings: [failed("bridge", detail, advice)], isReached: false };
  }
  return { findings: [ok("bridge", `${base} answers`), ...readyFindings(body.checks), clock], isReached: true };
}

function isReadiness(body: unknown): body is ReadyChecks {
  return typeof (body as ReadyChecks | undefined)?.checks === "object";
}

/** Reads `/v1/status`, for which the key needs the scope `admin` or `view`. */
export async function checkStatus(
  causeway: Causeway,
  version: string,
): Promise<{ findings: Finding[]; status?: Status }> {
  try {
    const status = await causeway.status({ timeoutMs: TIMEOUT_MS });
    return { findings: statusFindings(status, version), status };
  } catch (error) {
    if (error instanceof CausewayError && error.code === "insufficient_scope") {
      return { findings: [ok("key", "accepted"), skipped("status", "the key lacks the scopes admin and view")] };
    }
    const { code, detail } = failureOf(error);
    const advice = "Use a key of this bridge: --api-key, CAUSEWAY_API_KEY or a profile.";
    return { findings: [failed(code === "unauthorized" ? "key" : "status", `${code}: ${detail}`, advice)] };
  }
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof AggregateError && cause.errors.length > 0) return String((cause.errors[0] as Error).message);
  return cause instanceof Error ? cause.message : String(cause);
}
