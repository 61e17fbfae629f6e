/** The result of a run: a row per sender, duplicates with explanations, the ledgers, and all errors. Pure. */
import { type Evidence, type Losses, lossesOf } from "./attribute.ts";
import { type Duplicates, duplicatesOf } from "./explain.ts";
import type { Happened } from "./inject.ts";
import type { Ledger } from "./ledger.ts";
import type { Passage } from "./witness.ts";

/** `books` of `GET /v1/status`. */
export interface Books {
  messages: { received: number; unmatched: number; enqueued: number };
  deliveries: { enqueued: number; succeeded: number; failed: number; waiting: number; discarded: number };
}

export interface Findings {
  ledgers: readonly Ledger[];
  happened: readonly Happened[];
  /** The witness's records of a message, by its payload. */
  passages: Evidence["passages"];
  /** Misbehaviour of processes. */
  trouble: readonly string[];
  /** Absent if they could not be read. */
  books: Books | undefined;
  /** Deliveries still in the queues at the end of the run. */
  undelivered: number;
}

export interface Row extends Duplicates, Losses {
  direction: Ledger["direction"];
  qos: Ledger["qos"];
  sent: number;
  /** Null for QoS 0, which has no acknowledgement. */
  acknowledged: number | null;
  received: number;
}

export interface Report {
  rows: Row[];
  /** Count of each fault. */
  faults: Record<string, number>;
  /** In order of their start. */
  happened: readonly Happened[];
  books: Books | "not available";
  /** Packets between the bridges and the broker of lost messages, and of QoS 2 messages queued twice. */
  witnessed: Record<string, readonly Passage[]>;
  /** One line per error; empty if all is well. */
  wrong: string[];
}

export function makeReport({ ledgers, happened, passages, trouble, books, undelivered }: Findings): Report {
  const kills = brokerKills(happened);
  const rows = ledgers.map((ledger) => rowOf(ledger, happened, { passages, kills }));
  const faults: Record<string, number> = {};
  for (const { target, kind } of happened) faults[`${kind} ${target}`] = (faults[`${kind} ${target}`] ?? 0) + 1;
  const wrong = [
    ...trouble,
    ...rows.flatMap(whatIsWrong),
    ...(undelivered > 0 ? [`${undelivered} deliveries still waited at the end`] : []),
    ...(books ? booksThatDoNotClose(books) : []),
  ];
  const witnessed = Object.fromEntries(ledgers.flatMap((ledger, i) => witnessedOf(ledger, rows[i]!, passages)));
  return { rows, faults, happened, books: books ?? "not available", witnessed, wrong };
}

function witnessedOf(ledger: Ledger, row: Row, passages: Evidence["passages"]): [string, readonly Passage[]][] {
  const lost = [...row.lost, ...row.lostByBroker.map(({ number }) => number)];
  const numbers = ledger.qos === 2 ? [...lost, ...row.numbers] : lost;
  return numbers.map((number) => [ledger.payload(number), passages(ledger.payload(number))]);
}

export function brokerKills(happened: readonly Happened[]): Happened[] {
  return happened.filter(({ target, kind }) => target === "broker" && kind === "kill");
}

function rowOf(ledger: Ledger, happened: readonly Happened[], evidence: Evidence): Row {
  const { direction, qos, sent, acknowledged, arrivals } = ledger;
  return {
    direction,
    qos,
    sent,
    acknowledged: qos === 0 ? null : acknowledged.size,
    received: arrivals.size,
    ...lossesOf(ledger, evidence),
    ...duplicatesOf(ledger, happened, evidence),
  };
}

function whatIsWrong({ direction, qos, lost, otherId, numbers, acknowledged }: Row): string[] {
  const name = `${direction} QoS ${qos}`;
  return [
    ...(lost.length > 0 ? [`${name}: ${lost.length} lost: ${listed(lost)}`] : []),
    ...(qos === 2 && otherId > 0 ? [`${name}: ${otherId} twice in the queue: ${listed(numbers)}`] : []),
    ...(acknowledged === 0 ? [`${name}: nothing was acknowledged, so nothing was tested`] : []),
  ];
}

/** Returns the equations of the ledgers that do not hold. */
export function booksThatDoNotClose({ messages, deliveries }: Books): string[] {
  const { received, unmatched } = messages;
  const { succeeded, failed, waiting, discarded } = deliveries;
  const wrong: string[] = [];
  if (received !== unmatched + messages.enqueued) {
    wrong.push(`books: received ${received} ≠ unmatched ${unmatched} + enqueued ${messages.enqueued}`);
  }
  if (deliveries.enqueued !== succeeded + failed + waiting + discarded) {
    const sum = `succeeded ${succeeded} + failed ${failed} + waiting ${waiting} + discarded ${discarded}`;
    wrong.push(`books: deliveries enqueued ${deliveries.enqueued} ≠ ${sum}`);
  }
  return wrong;
}

const LISTED = 50;

function listed(numbers: readonly number[]): string {
  const more = numbers.length > LISTED ? ` and ${numbers.length - LISTED} more` : "";
  return `${numbers.slice(0, LISTED).join(", ")}${more}`;
}

const HEAD = [
  ["", "sent", "acknowledged", "received", "lost", "lost by broker"],
  ["called again", "twice in the queue", "sent again by broker"],
].flat();

const LOST_BY_BROKER =
  "lost by broker: acknowledged by it, acknowledged to it by no bridge, and gone after a SIGKILL of it:";

/** Renders the report for people. */
export function toText({ rows, faults, books, wrong }: Report): string {
  const table = [
    HEAD,
    ...rows.map(({ direction, qos, sent, acknowledged, received, lost, lostByBroker, ...twice }) => [
      `${direction === "up" ? "device → webhook" : "HTTP → device"}, QoS ${qos}`,
      String(sent),
      acknowledged === null ? "-" : String(acknowledged),
      String(received),
      // A loss of QoS 0 is permitted and unreported.
      qos === 0 ? `(${sent - received})` : String(lost.length),
      qos === 0 ? "-" : String(lostByBroker.length),
      String(twice.sameId),
      direction === "up" ? String(twice.otherId) : "-",
      direction === "up" ? String(twice.sentAgainByBroker) : "-",
    ]),
  ];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const lines = table.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  "),
  );
  const why = rows.flatMap((row) =>
    Object.entries(row.why)
      .sort(([, a], [, b]) => b - a)
      .map(([text, count]) => `  ${row.direction} QoS ${row.qos}: ${count} × ${text}`),
  );
  const excused = rows.flatMap(({ direction, qos, lostByBroker }) => {
    if (lostByBroker.length === 0) return [];
    const oldest = Math.max(...lostByBroker.map(({ ageMs }) => ageMs));
    const which = listed(lostByBroker.map(({ number }) => number));
    return `  ${direction} QoS ${qos}: ${which}; acknowledged at most ${oldest} ms before the SIGKILL`;
  });
  const happened = Object.entries(faults).sort(([a], [b]) => a.localeCompare(b));
  return [
    ...lines,
    "",
    `faults: ${happened.map(([name, count]) => `${count} × ${name}`).join(", ")}`,
    "",
    ...(excused.length > 0 ? [LOST_BY_BROKER, ...excused, ""] : []),
    "duplicates:",
    ...(why.length > 0 ? why : ["  none"]),
    "",
    `books: ${books === "not available" ? books : JSON.stringify(books)}`,
    "",
    ...(wrong.length > 0 ? wrong.map((line) => `WRONG  ${line}`) : ["all is well"]),
    "",
  ].join("\n");
}
