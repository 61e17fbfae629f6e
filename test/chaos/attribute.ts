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
 *
 * Except for what was on its way to a bridge that had not acknowledged it: of 30 such messages Mosquitto 2.0 knew none
 * after a SIGKILL, although it had saved after each, and all 30 where the client was away. While the store is away the
 * bridge acknowledges nothing, so they may be as old as that.
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
  /** When the broker said that it has the message, in a run that lasted at least since `from`. */
  at: number;
  from: number;
  /** Whether a SIGKILL ended the run in which it was last sent to a bridge. */
  onItsWay(kill: BrokerKill): boolean;
}

/** Since when the broker alone answered for a message. */
function keptByBroker(ledger: Ledger, number: number, { passages }: Evidence): Kept | undefined {
  const passed = passages(ledger.payload(number));
  if (ledger.direction === "up") {
    const at = ledger.takenAt.get(number);
    const taken = passed.some(({ cmd }) => cmd === "puback" || cmd === "pubrec");
    if (taken || at === undefined) return undefined;
    const sent = passed.findLast(({ cmd }) => cmd === "publish");
    return { from: at, at, onItsWay: ({ until }) => sent !== undefined && sent.connectedAt <= until };
  }
  // PUBREC is not the end: the bridge has to go on to PUBCOMP.
  if (!passed.some(({ cmd }) => cmd === "puback" || cmd === "pubcomp")) return undefined;
  const first = passed.find(({ cmd }) => cmd === "puback" || cmd === "pubrec");
  return first && { from: first.connectedAt, at: first.at, onItsWay: () => false };
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
