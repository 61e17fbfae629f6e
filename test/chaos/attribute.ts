/**
 * Attributes losses: compares the witness's records with the kills of the broker. Pure.
 *
 * Mosquitto acknowledges before it writes, so a SIGKILL makes it forget acknowledged messages, or fall back to a state
 * in which a completed exchange is open. The broker is responsible for a message that it accepted and no bridge
 * acknowledged; the bridge is responsible once it has acknowledged the message, whatever happens to the broker later.
 */
import type { Ledger } from "./ledger.ts";
import type { Passage } from "./witness.ts";

/** A SIGKILL of the broker; milliseconds since the epoch. */
export interface BrokerKill {
  from: number;
  /** Just before the next start: all packets until then are from the run that was killed. */
  until: number;
}

export interface Evidence {
  /** Passages of the message with this payload, in order. */
  passages(payload: string): readonly Passage[];
  kills: readonly BrokerKill[];
}

export interface Losses {
  /** Losses that the broker's kills do not explain; they count as the bridge's. In ascending order. */
  lost: number[];
  /** `ageMs`: time between the broker's acknowledgement and the SIGKILL. */
  lostByBroker: { number: number; ageMs: number }[];
}

/**
 * Longest time in milliseconds between the broker's acknowledgement and a SIGKILL that makes it forget the message. It
 * writes shortly after each change (`autosave_on_changes`); older messages were written, so their loss is not excused.
 *
 * Exception: messages in flight to a bridge that had not acknowledged them. Mosquitto 2.0 had none of 30 such messages
 * after a SIGKILL, although it had saved after each, and all 30 where the client was away. While the store is away the
 * bridge acknowledges nothing, so these messages may be as old as the outage.
 */
export const UNWRITTEN_MS = 2_000;

export function lossesOf(ledger: Ledger, evidence: Evidence): Losses {
  const losses: Losses = { lost: [], lostByBroker: [] };
  for (const number of ledger.missing()) {
    const kept = keptByBroker(ledger, number, evidence);
    const kill =
      kept &&
      evidence.kills.find(
        (one) => one.until >= kept.from && (one.from - kept.at <= UNWRITTEN_MS || kept.onItsWay(one)),
      );
    if (kill) losses.lostByBroker.push({ number, ageMs: Math.max(0, kill.from - kept.at) });
    else losses.lost.push(number);
  }
  return losses;
}

interface Kept {
  /** When the broker acknowledged the message, in a run that lasted at least since `from`. */
  at: number;
  from: number;
  /** Whether this SIGKILL ended the run in which the message was last sent to a bridge. */
  onItsWay(kill: BrokerKill): boolean;
}

/** Returns since when only the broker was responsible for a message. */
function keptByBroker(ledger: Ledger, number: number, { passages }: Evidence): Kept | undefined {
  const passed = passages(ledger.payload(number));
  if (ledger.direction === "up") {
    const at = ledger.takenAt.get(number);
    const taken = passed.some(({ cmd }) => cmd === "puback" || cmd === "pubrec");
    if (taken || at === undefined) return undefined;
    const sent = passed.findLast(({ cmd }) => cmd === "publish");
    return { from: at, at, onItsWay: ({ until }) => sent !== undefined && sent.connectedAt <= until };
  }
  // PUBREC does not complete the exchange: the bridge has to continue to PUBCOMP.
  if (!passed.some(({ cmd }) => cmd === "puback" || cmd === "pubcomp")) return undefined;
  const first = passed.find(({ cmd }) => cmd === "puback" || cmd === "pubrec");
  return first && { from: first.connectedAt, at: first.at, onItsWay: () => false };
}

/**
 * Returns how often the broker resent a message to the bridges as a new one because of a SIGKILL: after the end of the
 * exchange, or under another packet identifier. PUBACK ends the exchange, though the broker may not have read it before
 * the SIGKILL; with QoS 2 the broker's own PUBREL does, after which it must not send PUBLISH again.
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
