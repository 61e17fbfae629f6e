/** Findings about the bridge from its own words: `/readyz`, the `Date` of a response, and `/v1/status`. Pure. */
import type { Status } from "../types.ts";
import { type Finding, failed, ok, skipped, warning } from "./finding.ts";

/** Receivers refuse signatures that are five minutes off; `Date` has whole seconds. */
const SKEW_WARNING_MS = 5_000;
const SKEW_FAILED_MS = 300_000;

/** Advice for the checks of `/readyz`, which are named after the part that fails. */
const READY_ADVICE: Record<string, string> = {
  broker: "Check that the broker runs, and MQTT_URL, MQTT_USERNAME and MQTT_PASSWORD of the bridge.",
  uplink: "Give the bridge's account at the broker the right to subscribe to the topics of the webhooks.",
  store: "Check that Redis runs and accepts writes, or that the disk of DATA_DIR has space.",
  consumption: "Restart the bridge: its queue workers do not take jobs. Keep its log for a report.",
};

/** @param checks of `/readyz` */
export function readyFindings(checks: Record<string, { ok: boolean; detail?: string }>): Finding[] {
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

/** Without the scope `admin`, a key is shown neither the URL nor whether the broker is embedded. */
interface StatusBroker {
  url?: string;
  connected: boolean;
  protocol: string | null;
  embedded?: boolean;
  /** Null or absent while the broker is away. */
  maximumQos?: number | null;
  retainAvailable?: boolean | null;
}

interface StatusStore {
  kind: string;
  /** Absent for a key without the scope `admin`. */
  warnings?: string[];
  capacity?: Capacity | null;
}

interface Capacity {
  usedBytes: number;
  maximumBytes: number | null;
  version: string | null;
}

const MIB = 1024 * 1024;
/** Share of Redis' memory, and bytes of the disk. */
const MEMORY_WARNING = 0.8;
const DISK_WARNING = 1024 * MIB;
const DISK_FAILED = 100 * MIB;

/** @param version of the program that asks; absent: it is part of the bridge */
export function statusFindings(status: Status, version?: string): Finding[] {
  const broker = status.broker as StatusBroker | null | undefined;
  const store = status.store as StatusStore | undefined;
  const findings: Finding[] = [];
  if (version !== undefined) findings.push(ok("key", "accepted"), versionFinding(status, version));
  if (broker?.connected) {
    const kind = broker.embedded ? "embedded" : (broker.url ?? "connected");
    findings.push(brokerFinding(`${kind}, MQTT ${broker.protocol}`, broker));
  }
  if (store) {
    findings.push(ok("store", store.kind));
    if (store.capacity) findings.push(capacityFinding(store.kind, store.capacity));
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

function versionFinding(status: Status, version: string): Finding {
  return status.version === version
    ? ok("version", version)
    : warning("version", `the bridge is ${status.version}, this program ${version}`, "Use the same version of both.");
}

function brokerFinding(detail: string, { maximumQos, retainAvailable }: StatusBroker): Finding {
  const limits = [
    ...(typeof maximumQos === "number" && maximumQos < 2 ? [`QoS ${maximumQos} at most`] : []),
    ...(retainAvailable === false ? ["no retained messages"] : []),
  ];
  const text = [detail, ...limits].join(", ");
  if (maximumQos !== 0) return ok("broker", text);
  return warning("broker", text, "Without QoS 1 messages can be lost: use another broker, or allow QoS 1.");
}

function capacityFinding(kind: string, { usedBytes, maximumBytes, version }: Capacity): Finding {
  const mib = (bytes: number) => `${Math.floor(bytes / MIB).toLocaleString("en")} MiB`;
  if (kind === "embedded") {
    const free = (maximumBytes ?? 0) - usedBytes;
    const advice = "Free space on this disk: without it, no message is accepted.";
    const detail = `${mib(free)} free on the disk of the embedded store`;
    if (free < DISK_FAILED) return failed("disk of the bridge", detail, advice);
    return free < DISK_WARNING ? warning("disk of the bridge", detail, advice) : ok("disk of the bridge", detail);
  }
  const server = version === null ? "" : `, version ${version}`;
  if (maximumBytes === null) return ok("memory of the store", `${mib(usedBytes)} used, without a limit${server}`);
  const detail = `${mib(usedBytes)} of ${mib(maximumBytes)} used${server}`;
  const advice = "Raise maxmemory: without memory, no message is accepted.";
  if (usedBytes / maximumBytes > MEMORY_WARNING) return warning("memory of the store", detail, advice);
  return ok("memory of the store", detail);
}
