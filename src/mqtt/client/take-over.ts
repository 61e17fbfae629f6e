/**
 * Detects that another client took over the session. Pure policy.
 *
 * On MQTT 5 the broker says so in DISCONNECT, which may be lost in transit (Mosquitto 2.0 closes directly after it). On
 * 3.1.1 a take-over looks like a plain close. So several closes in a row, each soon after CONNACK, count as one, unless
 * they have another explanation: a reason in DISCONNECT, an unanswered request that may be the cause, or an error of our client.
 */

/** How long to leave the session to the client that took it over. */
export const STAND_DOWN_MS = 60_000;
const CLOSES = 3;
const WITHIN_MS = 3_000;
/** Reason code of DISCONNECT (MQTT 5 section 3.14.2.1). */
export const SESSION_TAKEN_OVER = 142;

export interface Loss {
  now: number;
  /** Reason code of DISCONNECT; undefined if none arrived. */
  reasonCode: number | undefined;
  /** Whether a request of ours is unanswered. */
  isAsking: boolean;
  /** Whether our client ended the connection, for example because the broker exceeded Receive Maximum. */
  isOwn: boolean;
}

export class TakeOverDetection {
  #connectedAt = 0;
  #quickCloses = 0;

  /** @param persistent whether the session outlives its connections: another session cannot be taken over */
  constructor(private readonly persistent: boolean) {}

  connected(now: number): void {
    this.#connectedAt = now;
  }

  lost(loss: Loss): void {
    const isQuick = this.persistent && loss.now - this.#connectedAt < WITHIN_MS;
    if (!isQuick) this.#quickCloses = 0;
    else if (!isExplained(loss)) this.#quickCloses++;
  }

  /** Whether the last closes count as a take-over. */
  get isTakenOver(): boolean {
    return this.#quickCloses >= CLOSES;
  }

  /** Starts over: the session is left to the other client. */
  reset(): void {
    this.#quickCloses = 0;
  }
}

function isExplained({ reasonCode, isAsking, isOwn }: Loss): boolean {
  if (isOwn) return true;
  return reasonCode === undefined ? isAsking : reasonCode !== SESSION_TAKEN_OVER;
}
