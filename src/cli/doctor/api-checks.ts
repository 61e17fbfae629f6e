/** Checks by the HTTP API: reachability, readiness, clock and status of the bridge. */
import { type Causeway, CausewayError, type Status } from "../../client/index.ts";
import { failureOf } from "../failures.ts";
import { type Finding, failed, ok, skipped, warning } from "./finding.ts";

const TIMEOUT_MS = 10_000;

/** Receivers refuse signatures that are five minutes off; `Date` has whole seconds. */
const SKEW_WARNING_MS = 5_000;
const SKEW_FAILED_MS = 300_000;

interface ReadyChecks {
  checks: Record<string, { ok: boolean; detail?: string }>;
}

/** Advice for the checks of `/readyz`, which are named after the part that fails. */
const READY_ADVICE: Record<string, string> = {
  broker: "Check that the broker runs, and MQTT_URL, MQTT_USERNAME and MQTT_PASSWORD of the bridge.",
  uplink: "Give the bridge's account at the broker the right to subscribe to the topics of the webhooks.",
  store: "Check that Redis runs and accepts writes, or that the disk of DATA_DIR has space.",
  consumption: "Restart the bridge: its queue workers do not take jobs. Keep its log for a report.",
};

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
  return { findings: [ok("bridge", `${base} answers`), ...readyFindings(body), clock], isReached: true };
}

function isReadiness(body: unknown): body is ReadyChecks {
  return typeof (body as ReadyChecks | undefined)?.checks === "object";
}

function readyFindings({ checks }: ReadyChecks): Finding[] {
  return Object.entries(checks).map(([name, { ok: isOk, detail }]) =>
    isOk
      ? ok(`bridge ${name}`, detail ?? "works")
      : failed(`bridge ${name}`, detail ?? "does not work", READY_ADVICE[name] ?? "See the log of the bridge."),
  );
}

/** Compares the clocks; the response was made between the two local times. */
export function checkClock(date: string | null, sentAt: number, receivedAt: number): Finding {
  const theirs = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(theirs)) return skipped("clock", "the response has no Date header");
  const ms = theirs < sentAt - 1_000 ? theirs + 1_000 - sentAt : Math.max(0, theirs - receivedAt);
  const seconds = Math.round(Math.abs(ms) / 1_000);
  const detail = `the bridge's clock is ${seconds} s ${ms < 0 ? "behind" : "ahead of"} this one`;
  const advice = "Synchronize both clocks (NTP): receivers refuse signatures that are more than five minutes off.";
  if (Math.abs(ms) > SKEW_FAILED_MS) return failed("clock", detail, advice);
  if (Math.abs(ms) > SKEW_WARNING_MS) return warning("clock", detail, advice);
  return ok("clock", "the same here and at the bridge");
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

/** Without the scope `admin`, a key is shown neither the URL nor whether the broker is embedded. */
interface StatusBroker {
  url?: string;
  connected: boolean;
  protocol: string | null;
  embedded?: boolean;
}

interface StatusStore {
  kind: string;
  /** Absent for a key without the scope `admin`. */
  warnings?: string[];
}

function statusFindings(status: Status, version: string): Finding[] {
  const broker = status.broker as StatusBroker | null | undefined;
  const store = status.store as StatusStore | undefined;
  const findings = [ok("key", "accepted")];
  findings.push(
    status.version === version
      ? ok("version", version)
      : warning("version", `the bridge is ${status.version}, this program ${version}`, "Use the same version of both."),
  );
  if (broker?.connected) {
    const kind = broker.embedded ? "embedded" : (broker.url ?? "connected");
    findings.push(ok("broker", `${kind}, MQTT ${broker.protocol}`));
  }
  if (store) {
    findings.push(ok("store", store.kind));
    for (const text of store.warnings ?? []) findings.push(warning("store", text, "See docs/operations.md."));
  }
  findings.push(...sessionFindings(status), ...configurationFindings(status), ...ledgerFindings(status));
  return findings;
}

interface ReceivingSession {
  clientId: string;
  refused: { filter: string; reason: string }[];
}

function sessionFindings({ lanes = [] }: Status): Finding[] {
  const sessions = lanes.flatMap((lane) => (lane.sessions ?? []) as unknown as ReceivingSession[]);
  return sessions.flatMap(({ clientId, refused }) =>
    refused.map(({ filter, reason }) =>
      failed(
        "subscription",
        `${clientId}: ${filter}: ${reason}`,
        "Allow the bridge's account to subscribe to this filter.",
      ),
    ),
  );
}

/** Outcome of the documents in `CONFIG_DIR`. Absent without it, and for a key with filters. */
function configurationFindings({ configuration }: Status): Finding[] {
  if (!configuration) return [];
  const { folder, state, documents, refused } = configuration;
  if (state === "applying") {
    return [warning("configuration folder", `${folder} is being applied`, "Wait, or see the log of the bridge.")];
  }
  const advice = "Mend the file and restart the bridge, or run causeway apply.";
  return [
    ok("configuration folder", `${folder}: documents applied: ${documents - refused.length} of ${documents}`),
    ...refused.map(({ kind, identity, code, detail }) =>
      failed("configuration folder", `${kind} ${identity}: ${code}: ${detail}`, advice),
    ),
  ];
}

/** The ledgers balance at every moment; a difference is a loss. */
function ledgerFindings({ books }: Status): Finding[] {
  if (books === undefined) return [skipped("ledgers", "the key lacks the scope admin")];
  if (!books) return [warning("ledgers", "not readable", "Check the store.")];
  const { messages, deliveries } = books;
  const lost = messages.received - messages.unmatched - messages.enqueued;
  const { enqueued, succeeded, failed: dead, waiting, discarded } = deliveries;
  const missing = enqueued - succeeded - dead - waiting - discarded;
  if (missing !== 0) {
    return [failed("ledgers", `deliveries unaccounted for: ${missing}`, "Report it, with the log of the bridge.")];
  }
  // Messages on their way are received and not enqueued yet.
  const detail = `messages received: ${messages.received}, deliveries waiting: ${waiting}${lost > 0 ? `, under way: ${lost}` : ""}`;
  return [ok("ledgers", detail)];
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof AggregateError && cause.errors.length > 0) return String((cause.errors[0] as Error).message);
  return cause instanceof Error ? cause.message : String(cause);
}
