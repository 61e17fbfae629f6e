/**
 * How many publishes may be without their acknowledgement, and the lines of those that wait for a place. A line for
 * each QoS: messages keep their order within one (MQTT 5 section 4.6), and those of QoS 1 do not wait for the fewer
 * places of QoS 2.
 */
export type AcknowledgedQoS = 1 | 2;

/** Unacknowledged publishes where the broker names no Receive Maximum; packet identifiers end at 65,535. */
const WITHOUT_RECEIVE_MAXIMUM = 1_000;
/**
 * The same of QoS 2, on MQTT 3.1.1 above all, where a broker cannot name one. Mosquitto takes `max_inflight_messages`, 20
 * by default. It answers PUBREC to the next one, drops it, and ends the connection: who has read that PUBREC would go
 * on with PUBREL and take the message for published.
 */
const QOS_2_WITHOUT_RECEIVE_MAXIMUM = 20;
/** Publishes that wait for a place. Beyond it callers are told to come back. */
const MAX_WAITING = 10_000;

interface Waiting {
  /** In the order of arrival over both lines. */
  number: number;
  begin(): void;
}

export class Window {
  #places = WITHOUT_RECEIVE_MAXIMUM;
  #placesOfQoS2 = QOS_2_WITHOUT_RECEIVE_MAXIMUM;
  readonly #taken = { 1: 0, 2: 0 };
  readonly #lines: Record<AcknowledgedQoS, Waiting[]> = { 1: [], 2: [] };
  #arrived = 0;

  /** @param receiveMaximum the broker's, of CONNACK; absent where it named none */
  connected(receiveMaximum: number | undefined): void {
    this.#places = Math.min(receiveMaximum ?? WITHOUT_RECEIVE_MAXIMUM, WITHOUT_RECEIVE_MAXIMUM);
    this.#placesOfQoS2 = Math.min(receiveMaximum ?? QOS_2_WITHOUT_RECEIVE_MAXIMUM, WITHOUT_RECEIVE_MAXIMUM);
  }

  /** `begin` is called now or in its turn, and may {@link take} a place. @returns false when too many wait */
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

  /** Gives a place back; {@link next} then calls who waits for it. */
  leave(qos: AcknowledgedQoS): void {
    this.#taken[qos]--;
  }

  /** Those whose turn it is begin. @param all whether there is room or not, for nothing is sent */
  next(all = false): void {
    for (let qos = this.#nextLine(all); qos !== undefined; qos = this.#nextLine(all)) this.#lines[qos].shift()!.begin();
  }

  /** That with the older first one, of those with room. */
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
