/** One receiving session: maintains the wanted subscriptions across reconnects and passes received messages on. */
import { setTimeout as delay } from "node:timers/promises";
import { type BrokerAddress, Connection, type Log, protocolName } from "../client/connection.ts";
import { Acknowledger, type Receipt, type ReceiveLimits } from "./acknowledgement.ts";
import { Incoming, type IncomingOptions } from "./incoming.ts";
import type { Subscription } from "./session-state.ts";
import { SessionSubscriptions } from "./session-subscriptions.ts";

export type { Subscription } from "./session-state.ts";

export interface SubscriberSessionOptions {
  broker: BrokerAddress;
  clientId: string;
  /** Purpose of the session, for log lines. */
  name: string;
  /** False: the session and its queued messages end with the connection. */
  persistent: boolean;
  limits: ReceiveLimits;
  /** Store for QoS 2 messages; if absent, messages that a process left incomplete arrive again as new ones. */
  incoming?: IncomingOptions;
  log: Log;
  receive(packet: Receipt["packet"], done: () => void): void;
  /** Called at each connect with whether copies of a message carry the identifiers of their subscriptions. */
  onConnect(copiesCarryIds: boolean): void;
  /** Called after each change and each connect, once the session is {@link SubscriberSession.settled settled}. */
  onSettled(): void;
  /** Called when UNSUBSCRIBE is confirmed by the broker, given up or not necessary. */
  onUnsubscribed(filter: string): void;
  onClose(): void;
  /** See the options of {@link Connection} with these names. */
  mayConnect?: (() => boolean) | undefined;
  known?: (() => "5" | "3.1.1" | undefined) | undefined;
}

export interface SessionStatus {
  clientId: string;
  state: string;
  protocol: "5" | "3.1.1" | undefined;
  error: string | undefined;
  /** Number of wanted filters, and how many of them the broker has granted on this connection. */
  wanted: number;
  granted: number;
  /** Filters refused in SUBACK, or isolated because the broker ends the connection at them. */
  refused: { filter: string; reason: string }[];
}

/** A store that makes nothing durable for this long counts as unavailable. */
const DRAIN_STEP_MS = 2_000;
/** 6 s in total: shutdown gives receiving and delivery 9 s together. */
const DRAIN_STEPS = 3;
export class SubscriberSession {
  readonly #connection: Connection;
  readonly #acknowledger: Acknowledger;
  readonly #incoming: Incoming | undefined;
  readonly #subscriptions: SessionSubscriptions;

  constructor(private readonly options: SubscriberSessionOptions) {
    this.#incoming = options.incoming && new Incoming(options.incoming);
    const receive = ({ packet, done }: Receipt) => options.receive(packet, done);
    this.#acknowledger = new Acknowledger(options.limits, receive, this.#incoming);
    this.#subscriptions = new SessionSubscriptions({ ...options, connection: () => this.#connection });
    this.#connection = new Connection({
      broker: options.broker,
      name: options.name,
      clientId: options.clientId,
      persistent: options.persistent,
      log: options.log,
      mayConnect: options.mayConnect,
      known: options.known,
      isAsking: () => this.#subscriptions.isWaiting,
      client: this.#acknowledger.clientOptions,
      prepare: (client) => {
        this.#acknowledger.attach(client);
        client.on("packetreceive", (packet) => this.#subscriptions.received(packet));
      },
      onConnect: (connack, protocol) => this.#subscriptions.connected(connack, protocol),
      onClose: () => {
        this.#subscriptions.ended(this.#connection.disconnectReason);
        options.onClose();
      },
    });
  }

  /** Replaces the wanted subscriptions. Filters that are no longer wanted stay subscribed until {@link leave}. */
  want(subscriptions: Subscription[]): void {
    this.#subscriptions.want(subscriptions);
  }

  /** Unsubscribes filters that are not wanted. */
  leave(filters: string[]): void {
    this.#subscriptions.leave(filters);
  }

  get connected(): boolean {
    return this.#connection.connected;
  }

  /** Whether every wanted subscription is granted on the current connection, refused by the broker, or isolated. */
  get settled(): boolean {
    return this.#subscriptions.settled;
  }

  get status(): SessionStatus {
    return {
      clientId: this.options.clientId,
      state: this.#connection.state,
      protocol: protocolName(this.#connection.protocol),
      error: this.#connection.lastError,
      ...this.#subscriptions.status,
    };
  }

  /** Number of messages received but not yet durable. */
  get pending(): number {
    return this.#acknowledger.pending;
  }

  /** Stops receiving. Resolves once everything received is acknowledged, after at most 6 s; sooner without progress. */
  async drain(): Promise<void> {
    const drained = this.#acknowledger.drain();
    for (let i = 0, before = Number.POSITIVE_INFINITY; i < DRAIN_STEPS && this.pending < before; i++) {
      before = this.pending;
      await Promise.race([drained, delay(DRAIN_STEP_MS, undefined, { ref: false })]);
    }
  }

  /** Ends the connection; the broker keeps a persistent session and its unacknowledged messages. */
  async close(): Promise<void> {
    this.#subscriptions.stop();
    void this.#acknowledger.drain(); // stops receiving
    this.#incoming?.stop();
    this.#connection.ignore();
    await this.#connection.close();
  }
}
