/**
 * Send window: limits the unacknowledged publishes and queues the others. Each QoS has its own queue: messages keep
 * their order within a QoS (MQTT 5 section 4.6), and QoS 1 does not wait for the fewer places of QoS 2.
 */
export type AcknowledgedQoS = 1 | 2;

/** Unacknowledged publishes if the broker sends no Receive Maximum; packet identifiers end at 65,535. */
const WITHOUT_RECEIVE_MAXIMUM = 1_000;
/**
 * The same limit for QoS 2, mainly on MQTT 3.1.1, which has no Receive Maximum. Mosquitto accepts
 * `max_inflight_messages`, 20 by default. It answers PUBREC to the next one, drops it, and ends the connection: a
 * client that has read that PUBREC would continue with PUBREL and take the message for published.
 */
const QOS_2_WITHOUT_RECEIVE_MAXIMUM = 20;
/** Publishes that may wait for a place; further ones are rejected. */
const MAX_WAITING = 10_000;

interface Waiting {
  /** Order of arrival across both queues. */
  number: number;
  begin(): void;
}

export class Window {
  #places = WITHOUT_RECEIVE_MAXIMUM;
  #placesOfQoS2 = QOS_2_WITHOUT_RECEIVE_MAXIMUM;
  readonly #taken = { 1: 0, 2: 0 };
  readonly #lines: Record<AcknowledgedQoS, Waiting[]> = { 1: [], 2: [] };
  #arrived = 0;

  /** @param receiveMaximum the broker's Receive Maximum in CONNACK; absent if it sent none */
  connected(receiveMaximum: number | undefined): void {
    this.#places = Math.min(receiveMaximum ?? WITHOUT_RECEIVE_MAXIMUM, WITHOUT_RECEIVE_MAXIMUM);
    this.#placesOfQoS2 = Math.min(receiveMaximum ?? QOS_2_WITHOUT_RECEIVE_MAXIMUM, WITHOUT_RECEIVE_MAXIMUM);
  }

  /** Calls `begin` now or in its turn; it may {@link take} a place. @returns false if too many publishes wait */
  enter(qos: AcknowledgedQoS, begin: () => void): boolean {
    if (this.#lines[qos].length === 0 && this.#hasRoom(qos)) begin();
    else if (this.waiting >= MAX_WAITING) return false;
    else this.#lines[qos].push({ number: this.#arrived++, begin });
    return true;
  }

  get waiting(): number {
    return this.#lines[1].length + this.#lines[2].length;
  }

  take(qos: AcknowledgedQoS): void {
    this.#taken[qos]++;
  }

  /** Returns a place; {@link next} then starts waiting publishes. */
  leave(qos: AcknowledgedQoS): void {
    this.#taken[qos]--;
  }

  /**
   * Starts the publishes whose turn it is.
   * @param all whether to start all regardless of places, because nothing is sent
   */
  next(all = false): void {
    for (let qos = this.#nextLine(all); qos !== undefined; qos = this.#nextLine(all)) this.#lines[qos].shift()!.begin();
  }

  /** Selects the queue with the older first entry among those with places. */
  #nextLine(all: boolean): AcknowledgedQoS | undefined {
    const one = all || this.#hasRoom(1) ? this.#lines[1][0] : undefined;
    const two = all || this.#hasRoom(2) ? this.#lines[2][0] : undefined;
    if (one && two) return one.number < two.number ? 1 : 2;
    return one ? 1 : two && 2;
  }

  #hasRoom(qos: AcknowledgedQoS): boolean {
    if (this.#taken[1] + this.#taken[2] >= this.#places) return false;
    return qos === 1 || this.#taken[2] < this.#placesOfQoS2;
  }
}
