/**
 * QoS 1 messages on their way to the bridge's own persistent sessions. They need no place in the broker's store: the
 * device gets its PUBACK only when the session has acknowledged the message, which the bridge does once the deliveries
 * are in their queues. That saves three writes for each message. A message is stored after all when its session ends or
 * does not acknowledge it in time.
 */

/** How long devices wait for a session that acknowledges nothing. */
const HOLD_MS = 1_000;
/** How long a device waits at most, also for a session that works through many messages. */
const MAX_HOLD_MS = 10_000;
const SWEEP_MS = 500;

/** A message with the broker's counter; the packet identifier is known once it is sent. */
interface Sendable {
  brokerCounter?: number;
  messageId?: number | undefined;
}

type StoreMessage<M> = (clientId: string, message: M) => Promise<void>;

interface InFlight<M> {
  message: M;
  since: number;
  /** Resolves when the session has acknowledged the message or it is stored; rejects when it cannot be stored. */
  safe: Promise<void>;
  settle(stored?: Promise<void>): void;
}

class OwnSession<M> {
  /** By the broker's counter, oldest first. */
  readonly held = new Map<number, InFlight<M>>();
  /** Counters of the held messages that were sent, by packet identifier. */
  readonly sent = new Map<number, number>();
  /** Packet identifiers of the stored messages that were sent. */
  readonly stored = new Set<number>();
  /** Whether messages are held: not before the session has got the queue that was stored for it. */
  isOpen = false;
  acknowledgedAt = 0;
  /** Whether messages were stored for want of acknowledgements: holding more would only make devices wait. */
  isStuck = false;
}

export class InFlightMessages<M extends Sendable> {
  /** Connected sessions of the bridge. */
  readonly #sessions = new Map<string, OwnSession<M>>();
  readonly #store: StoreMessage<M>;
  #timer: NodeJS.Timeout | undefined;

  constructor(store: StoreMessage<M>) {
    this.#store = store;
  }

  /** Call when a session is connected, before it gets its queue; its messages are held from {@link open} on. */
  begin(clientId: string): void {
    // The end of a connection that is taken over may come only after this one has begun.
    this.end(clientId);
    this.#sessions.set(clientId, new OwnSession());
  }

  open(clientId: string): void {
    const session = this.#sessions.get(clientId);
    if (session) session.isOpen = true;
  }

  /** Stores what the session has not acknowledged: it gets these messages again when it reconnects. */
  end(clientId: string): void {
    const session = this.#sessions.get(clientId);
    if (!session) return;
    this.#sessions.delete(clientId);
    for (const counter of session.held.keys()) this.#spill(clientId, session, counter);
  }

  canHold(clientId: string): boolean {
    const session = this.#sessions.get(clientId);
    return session?.isOpen === true && !session.isStuck;
  }

  /** Resolves when the device may forget the message. */
  hold(clientId: string, message: M): Promise<void> {
    const session = this.#sessions.get(clientId)!;
    const counter = message.brokerCounter!;
    // Several filters of a session match: it gets the message once.
    const known = session.held.get(counter);
    if (known) return known.safe;
    let settle: InFlight<M>["settle"] = () => {};
    const safe = new Promise<void>((resolve) => {
      settle = resolve;
    });
    session.held.set(counter, { message, since: Date.now(), safe, settle });
    this.#timer ??= setTimeout(() => this.#sweep(), SWEEP_MS).unref();
    return safe;
  }

  /** Stores the message for the clients to which the broker has not sent it, because they have just left. */
  delivered(counter: number): void {
    for (const [clientId, session] of this.#sessions) {
      const held = session.held.get(counter);
      if (held && held.message.messageId === undefined) this.#spill(clientId, session, counter);
    }
  }

  /** Notes the packet identifier under which a message is sent. @returns false when the message is not held */
  sent(clientId: string, { brokerCounter, messageId }: Sendable): boolean {
    const session = this.#sessions.get(clientId);
    if (!session) return false;
    const held = session.held.get(brokerCounter!);
    if (!held) {
      session.stored.add(messageId!);
      return false;
    }
    held.message.messageId = messageId;
    session.sent.set(messageId!, brokerCounter!);
    return true;
  }

  /** The session has acknowledged a message. @returns false when the message is not held */
  acknowledged(clientId: string, messageId: number): boolean {
    const session = this.#sessions.get(clientId);
    if (!session) return false;
    session.isStuck = false;
    session.acknowledgedAt = Date.now();
    // The older of two messages with the same identifier is the stored one.
    if (session.stored.delete(messageId)) return false;
    const counter = session.sent.get(messageId);
    if (counter === undefined) return false;
    session.held.get(counter)?.settle();
    session.held.delete(counter);
    session.sent.delete(messageId);
    return true;
  }

  #sweep(): void {
    this.#timer = undefined;
    const now = Date.now();
    for (const [clientId, session] of this.#sessions) {
      const isIdle = now - session.acknowledgedAt >= HOLD_MS;
      for (const [counter, { since }] of session.held) {
        if (now - since < (isIdle ? HOLD_MS : MAX_HOLD_MS)) break;
        session.isStuck = isIdle;
        this.#spill(clientId, session, counter);
      }
      if (session.held.size > 0) this.#timer ??= setTimeout(() => this.#sweep(), SWEEP_MS).unref();
    }
  }

  #spill(clientId: string, session: OwnSession<M>, counter: number): void {
    const { message, settle } = session.held.get(counter)!;
    session.held.delete(counter);
    if (message.messageId !== undefined) {
      session.sent.delete(message.messageId);
      session.stored.add(message.messageId);
    }
    settle(this.#store(clientId, message));
  }
}
