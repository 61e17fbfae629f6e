/** Numbered messages by direction and QoS: sent, acknowledged to the sender, and arrived. */
import type { QoS } from "../../src/message.ts";

/** `up`: device → webhook; `down`: HTTP → device; `end`: the last message of each direction. */
export type Direction = "up" | "down" | "end";

/** One call of the webhook receiver, or one message at the device. */
export interface Arrival {
  /** Milliseconds since the epoch. */
  at: number;
  /** The bridge's id of the message; the device cannot see it. */
  id?: string;
  /** When the bridge received the message, in milliseconds since the epoch; up only. */
  receivedAt?: number;
}

export class Ledger {
  /** Messages that were handed to the network at least once. */
  sent = 0;
  readonly acknowledged = new Set<number>();
  /** When the broker first sent PUBACK or PUBREC to the device, in milliseconds since the epoch; up only. */
  readonly takenAt = new Map<number, number>();
  /** Numbers sent more than once because no acknowledgement arrived. */
  readonly sentAgain = new Set<number>();
  readonly arrivals = new Map<number, Arrival[]>();

  constructor(
    readonly direction: Direction,
    readonly qos: QoS,
  ) {}

  payload(number: number): string {
    return `${this.direction} ${this.qos} ${number}`;
  }

  arrived(number: number, arrival: Arrival): void {
    const earlier = this.arrivals.get(number);
    if (earlier) earlier.push(arrival);
    else this.arrivals.set(number, [arrival]);
  }

  /** Returns the messages that were acknowledged and have not arrived, in ascending order. */
  missing(): number[] {
    return [...this.acknowledged].filter((number) => !this.arrivals.has(number)).sort((a, b) => a - b);
  }
}

export class Ledgers {
  readonly all: Ledger[];

  constructor(...ledgers: Ledger[]) {
    this.all = ledgers;
  }

  /** Records a payload that arrived. @throws Error if it was never sent */
  arrived(payload: string, arrival: Arrival): void {
    const [direction, qos, number] = payload.split(" ");
    const ledger = this.all.find((one) => one.direction === direction && one.qos === Number(qos));
    if (!ledger) throw new Error(`nobody sent "${payload}"`);
    ledger.arrived(Number(number), arrival);
  }
}
