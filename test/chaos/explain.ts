/**
 * Explains duplicates from the witness and the faults. Pure. The named fault is one that was active in between and can
 * have this effect; it is not a proof.
 */
import { type Evidence, sentAgainByBroker } from "./attribute.ts";
import type { Fault } from "./faults.ts";
import type { Happened } from "./inject.ts";
import type { Arrival, Ledger } from "./ledger.ts";
import type { Passage } from "./witness.ts";

export interface Duplicates {
  /** Calls beyond the first with one `webhook-id`. */
  sameId: number;
  /** Ids beyond the first of one message: it is in the queue more than once. Excludes those of the next count. */
  otherId: number;
  /** The same, where a SIGKILL made the broker resend a completed message or resend it as another one. */
  sentAgainByBroker: number;
  /** Count of each explanation. */
  why: Record<string, number>;
  /** Messages counted in `otherId`, in ascending order. */
  numbers: number[];
}

/** Duration of a fault's effects after its end in milliseconds: lost locks, reconnects, retries. */
const AFTERMATH_MS = 10_000;

const BRIDGES: Fault["target"][] = ["bridge-a", "bridge-b"];
const STORE: Fault["target"][] = ["redis", "a-redis", "b-redis"];
const BROKER: Fault["target"][] = ["broker", "a-broker", "b-broker"];
const RECEIVER: Fault["target"][] = ["receiver", "bridge-receiver"];

const KIND: Record<Fault["kind"], string> = {
  kill: "SIGKILL of",
  terminate: "SIGTERM of",
  freeze: "SIGSTOP of",
  cut: "cut of",
  stall: "stall of",
  delay: "delay on",
  reset: "reset of",
};

const FORGOTTEN = {
  1: "sent again by the broker, which had not written PUBACK down before a SIGKILL",
  2: "sent again by the broker as a new message, which had forgotten in a SIGKILL that it was complete",
};

/** Returns the duplicates among one sender's messages with their explanations. */
export function duplicatesOf(ledger: Ledger, faults: readonly Happened[], evidence: Evidence): Duplicates {
  const found: Duplicates = { sameId: 0, otherId: 0, sentAgainByBroker: 0, why: {}, numbers: [] };
  const count = (why: string) => {
    found.why[why] = (found.why[why] ?? 0) + 1;
  };
  for (const [number, arrivals] of [...ledger.arrivals].sort(([a], [b]) => a - b)) {
    if (arrivals.length === 1) continue;
    const passages = evidence.passages(ledger.payload(number));
    if (ledger.direction === "down") {
      for (const [earlier, later] of pairs(arrivals)) {
        found.sameId++;
        count(whyPublishedAgain(earlier, later, passages, faults));
      }
      continue;
    }
    const byId = [...groupById(arrivals).values()];
    for (const calls of byId) {
      for (const [earlier, later] of pairs(calls)) {
        found.sameId++;
        count(whyCalledAgain(earlier, later, faults));
      }
    }
    const byBroker = Math.min(byId.length - 1, sentAgainByBroker(passages, evidence.kills));
    found.sentAgainByBroker += byBroker;
    for (let i = 0; i < byBroker; i++) count(FORGOTTEN[ledger.qos === 2 ? 2 : 1]);
    for (const [earlier, later] of pairs(byId.map(([first]) => first!)).slice(byBroker)) {
      found.otherId++;
      count(
        `${whyReceivedAgain(earlier, later, ledger.sentAgain.has(number), faults)}: ${whatBecameOfPuback(passages)}`,
      );
    }
    if (byId.length - byBroker > 1) found.numbers.push(number);
  }
  return found;
}

function whyCalledAgain(earlier: Arrival, later: Arrival, faults: readonly Happened[]): string {
  const fault = between(earlier.at, later.at, [...RECEIVER, ...BRIDGES, ...STORE], faults);
  return `called again${fault}: its answer, or the note of it, was lost`;
}

function whyReceivedAgain(earlier: Arrival, later: Arrival, sentAgain: boolean, faults: readonly Happened[]): string {
  const [from, to] = [earlier.receivedAt!, later.receivedAt!].sort((a, b) => a - b) as [number, number];
  if (sentAgain) return `published again by the device${between(from, to, BROKER, faults)}`;
  return `sent again by the broker${between(from, to, [...BRIDGES, ...BROKER, ...STORE], faults)}`;
}

function whyPublishedAgain(
  earlier: Arrival,
  later: Arrival,
  passages: readonly Passage[],
  faults: readonly Happened[],
): string {
  const [first, again] = passages.filter(({ cmd }) => cmd === "publish");
  if (!again) return `sent again by the broker${between(earlier.at, later.at, BROKER, faults)}`;
  const fault = between(first!.at, again.at, [...BRIDGES, ...BROKER, ...STORE], faults);
  if (acknowledgedBetween(passages)) return `published again${fault}: the note of the acknowledgement was lost`;
  return `published again${fault}: no acknowledgement had come`;
}

/** A PUBACK that the broker has not read is lost with the connection; the broker then sends the message again. */
function whatBecameOfPuback(passages: readonly Passage[]): string {
  if (!acknowledgedBetween(passages)) return "no acknowledgement had passed";
  const publishes = passages.filter(({ cmd }) => cmd === "publish");
  const sameConnection = publishes.some((one, i) => one.connectedAt === publishes[i - 1]?.connectedAt);
  return sameConnection ? "ALTHOUGH acknowledged on the same connection" : "the acknowledgement was on its way";
}

/** Whether PUBACK or PUBREC passed before another PUBLISH. */
function acknowledgedBetween(passages: readonly Passage[]): boolean {
  const first = passages.findIndex(({ cmd }) => cmd === "puback" || cmd === "pubrec");
  return first >= 0 && passages.slice(first).some(({ cmd }) => cmd === "publish");
}

/** Returns the last fault that began before `to` and was not long over at `from`. */
function between(from: number, to: number, targets: Fault["target"][], faults: readonly Happened[]): string {
  const possible = faults.filter((fault) => {
    return targets.includes(fault.target) && fault.from <= to && fault.to + AFTERMATH_MS >= from;
  });
  // Prefer the earliest fault that began within the interval.
  const during = possible.find((fault) => fault.from >= from);
  const fault = during ?? possible.at(-1);
  return fault ? ` after ${KIND[fault.kind]} ${fault.target}` : ", UNEXPLAINED";
}

function pairs<T>(items: readonly T[]): [T, T][] {
  return items.slice(1).map((item, i) => [items[i]!, item]);
}

function groupById(arrivals: readonly Arrival[]): Map<string, Arrival[]> {
  const groups = new Map<string, Arrival[]>();
  for (const arrival of arrivals) {
    const group = groups.get(arrival.id!);
    if (group) group.push(arrival);
    else groups.set(arrival.id!, [arrival]);
  }
  return groups;
}
