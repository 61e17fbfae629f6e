/**
 * Whose fault it is: what the witness saw, held against the kills of the broker. Pure.
 *
 * Mosquitto acknowledges first and writes then, so that a SIGKILL makes it forget what it acknowledged, or fall back to
 * a state in which what was complete is not. A message that it took and that no bridge acknowledged is its own to keep;
 * one that a bridge acknowledged is the bridge's, whatever happens to the broker afterwards.
 */
import type { Ledger } from "./ledger.ts";
import type { Passage } from "./witness.ts";

/** A SIGKILL of the broker; milliseconds since the epoch. */
export interface BrokerKill {
  from: number;
  /** Just before it was started again: all that came until then is from the run that was killed. */
  until: number;
}

export interface Evidence {
  /** Of a message by its payload, in the order in which they passed. */
  passages(payload: string): readonly Passage[];
  kills: readonly BrokerKill[];
}

export interface Losses {
  /** Not explained by the broker's kills: the bridge's, until somebody shows otherwise. In ascending order. */
  lost: number[];
  /** `ageMs`: how long before the SIGKILL the broker had acknowledged it. */
  lostByBroker: { number: number; ageMs: number }[];
}

/**
 * How old what the broker acknowledged may be at a SIGKILL that makes it forget it, in milliseconds. It writes within a
 * moment of each change (`autosave_on_changes`); what is older was written, and is not excused.
 */
export const UNWRITTEN_MS = 2_000;

export function lossesOf(ledger: Ledger, evidence: Evidence): Losses {
  const losses: Losses = { lost: [], lostByBroker: [] };
  for (const number of ledger.missing()) {
    const kept = keptByBroker(ledger, number, evidence);
    const kill = kept && evidence.kills.find((one) => one.until >= kept.from && one.from - kept.at <= UNWRITTEN_MS);
    if (kill) losses.lostByBroker.push({ number, ageMs: Math.max(0, kill.from - kept.at) });
    else losses.lost.push(number);
  }
  return losses;
}

/** Since when the broker alone answered for a message: `at` it said so, in a run that lasted at least since `from`. */
function keptByBroker(
  ledger: Ledger,
  number: number,
  { passages }: Evidence,
): { from: number; at: number } | undefined {
  const passed = passages(ledger.payload(number));
  if (ledger.direction === "up") {
    const at = ledger.takenAt.get(number);
    const taken = passed.some(({ cmd }) => cmd === "puback" || cmd === "pubrec");
    return taken || at === undefined ? undefined : { from: at, at };
  }
  // PUBREC is not the end: the bridge has to go on to PUBCOMP.
  if (!passed.some(({ cmd }) => cmd === "puback" || cmd === "pubcomp")) return undefined;
  const first = passed.find(({ cmd }) => cmd === "puback" || cmd === "pubrec");
  return first && { from: first.connectedAt, at: first.at };
}

/**
 * How often the broker sent a message to the bridges as if it were a new one, because of a SIGKILL: after what ended the
 * exchange, or under another packet identifier. What ends it is PUBACK, which it may not have read before the SIGKILL;
 * with QoS 2 its own PUBREL, after which it must not send PUBLISH again.
 */
export function sentAgainByBroker(passages: readonly Passage[], kills: readonly BrokerKill[]): number {
  let count = 0;
  let last: Passage | undefined;
  let ended = false;
  for (const passage of passages) {
    if (passage.cmd !== "publish") {
      if (passage.cmd !== "pubrec") ended = true;
      continue;
    }
    if (last && (ended || passage.packetId !== last.packetId) && killedBetween(last, passage, kills)) count++;
    last = passage;
    ended = false;
  }
  return count;
}

function killedBetween(earlier: Passage, later: Passage, kills: readonly BrokerKill[]): boolean {
  return kills.some(({ until }) => earlier.connectedAt <= until && until < later.connectedAt);
}
