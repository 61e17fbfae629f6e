/**
 * Subscriptions of one session: a change of the wanted set sends only the difference. A reconnect subscribes to
 * everything again, because some brokers resume a session and report that they did not, and others the reverse.
 */
import type { IConnackPacket, Packet } from "mqtt";
import type { QoS } from "../../message.ts";
import type { Connection, Log, ProtocolVersion } from "../client/connection.ts";
import { SubscriptionRequests, type Task } from "./subscription-requests.ts";

export interface Subscription {
  filter: string;
  qos: QoS;
  /** MQTT 5 subscription identifier, 1 to 268,435,455 (section 3.8.2.1.2). */
  id: number;
}

export interface SessionSubscriptionsOptions {
  connection(): Connection;
  persistent: boolean;
  log: Log;
  /** See the options of {@link SubscriberSession} with these names. */
  onConnect(copiesCarryIds: boolean): void;
  onSettled(): void;
  onUnsubscribed(filter: string): void;
}

const RETRY_MS = 1_000;
/** Key prefix of an UNSUBSCRIBE; a SUBSCRIBE has the filter alone as its key. No filter contains NUL (MQTT-4.7.3-2). */
const UNSUBSCRIBE = "\0";

export class SessionSubscriptions {
  #wanted = new Map<string, Subscription>();
  readonly #unwanted = new Set<string>();
  /** Subscriptions granted on this connection. */
  #granted = new Map<string, Subscription>();
  #refused = new Map<string, string>();
  /** Features that SUBSCRIBE may use on this connection. If asked for more, AWS IoT Core ends it or never answers. */
  #allowed = { ids: false, qos: 2 };
  readonly #requests = new SubscriptionRequests({
    client: () => this.#connection.client,
    connected: () => this.#connection.connected,
  });
  readonly #isWanted = (filter: string) => this.#wanted.has(filter);
  #announced = false;
  #syncing = false;
  #dirty = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(private readonly options: SessionSubscriptionsOptions) {}

  /** Replaces the wanted subscriptions. Filters that are no longer wanted stay subscribed until {@link leave}. */
  want(subscriptions: Subscription[]): void {
    this.#announced = false;
    for (const { filter, qos } of subscriptions) {
      if (this.#wanted.get(filter)?.qos !== qos) this.#isolation.renew(filter, Date.now());
    }
    this.#wanted = new Map(subscriptions.map((subscription) => [subscription.filter, subscription]));
    this.#isolation.trim(this.#isWanted);
    for (const filter of this.#refused.keys()) if (!this.#wanted.has(filter)) this.#refused.delete(filter);
    for (const filter of this.#unwanted) if (this.#wanted.has(filter)) this.#unwanted.delete(filter);
    this.#sync();
  }

  /** Unsubscribes filters that are not wanted. */
  leave(filters: string[]): void {
    for (const filter of filters) {
      if (this.#wanted.has(filter)) continue;
      this.#unwanted.add(filter);
      // The broker may end the connection at UNSUBSCRIBE for this filter, too.
      if (this.#isolation.reasonFor(filter)) this.#isolation.makeCandidate(UNSUBSCRIBE + filter);
    }
    this.#sync();
  }

  /** Whether every wanted subscription is granted on the current connection, refused by the broker, or isolated. */
  get settled(): boolean {
    return this.#connection.connected && this.#toSubscribe().length === 0;
  }

  get status() {
    return {
      wanted: this.#wanted.size,
      granted: this.#granted.size,
      refused: [...this.#refused, ...this.#isolation.reasons()]
        .filter(([filter]) => this.#wanted.has(filter))
        .map(([filter, reason]) => ({ filter, reason })),
    };
  }

  /** Whether a request is unanswered. */
  get isWaiting(): boolean {
    return this.#isolation.isWaiting;
  }

  received(packet: Packet): void {
    this.#requests.received(packet);
  }

  stop(): void {
    clearTimeout(this.#retry);
  }

  get #connection(): Connection {
    return this.options.connection();
  }

  get #isolation() {
    return this.#requests.isolation;
  }

  connected(connack: IConnackPacket, protocol: ProtocolVersion): void {
    this.#granted.clear();
    this.#refused.clear(); // an operator may have changed the broker's rules
    // MQTT 5 sections 3.2.2.3.4 and 3.2.2.3.12: if absent, QoS 2 and subscription identifiers are available.
    const { subscriptionIdentifiersAvailable, maximumQoS = 2 } = connack.properties ?? {};
    const available: unknown = subscriptionIdentifiersAvailable;
    this.#allowed = { ids: protocol === 5 && available !== false && available !== 0, qos: maximumQoS };
    this.options.onConnect(this.#allowed.ids);
    this.#sync();
  }

  #sync(): void {
    this.#dirty = true;
    if (this.#syncing) return;
    this.#syncing = true;
    void this.#run().finally(() => {
      this.#syncing = false;
      if (this.#dirty && this.#connection.connected) this.#sync();
    });
  }

  async #run(): Promise<void> {
    clearTimeout(this.#retry);
    let failed = false;
    while (this.#dirty && this.#connection.connected) {
      this.#dirty = false;
      if (this.#isolation.retry(this.#isWanted, Date.now())) this.#announced = false;
      const subscribe = this.#toSubscribe().map((wanted) => [wanted.filter, () => this.#subscribe(wanted)] as const);
      const leave = [...this.#unwanted].map(
        (filter) => [UNSUBSCRIBE + filter, () => this.#unsubscribe(filter)] as const,
      );
      failed = await this.#requests.all([new Map<string, Task>(subscribe), new Map<string, Task>(leave)]);
      this.#announce();
    }
    if (!this.#connection.connected) return;
    const retryAt = this.#isolation.nextRetryAt(this.#isWanted);
    if (!failed && retryAt === undefined) return;
    const pause = failed ? RETRY_MS : Math.max(0, retryAt! - Date.now());
    this.#retry = setTimeout(() => this.#sync(), pause).unref();
  }

  #toSubscribe(): Subscription[] {
    return [...this.#wanted.values()].filter(({ filter, qos, id }) => {
      const granted = this.#granted.get(filter);
      const isRefused = this.#refused.has(filter) || this.#isolation.reasonFor(filter) !== undefined;
      return !isRefused && (granted?.qos !== qos || granted.id !== id);
    });
  }

  /** Handles the end of the connection, which one of our requests may have caused. */
  /** @param reasonCode of DISCONNECT, if one arrived */
  ended(reasonCode: number | undefined): void {
    this.#granted.clear();
    this.#announced = false;
    const isolated = this.#requests.ended(reasonCode);
    if (!isolated) return;
    const { key, reason } = isolated;
    const isLeft = key.startsWith(UNSUBSCRIBE);
    const filter = isLeft ? key.slice(UNSUBSCRIBE.length) : key;
    this.options.log.error({ filter, reason }, isLeft ? "unsubscribe_given_up" : "subscription_refused");
    // Not retried: messages of a subscription that the broker may still hold match no wanted filter.
    if (isLeft) this.#left(filter);
  }

  #left(filter: string): void {
    this.#isolation.forget(UNSUBSCRIBE + filter);
    if (this.#unwanted.delete(filter)) this.options.onUnsubscribed(filter);
  }

  /** Handles SUBACK in packet order: the broker sends all later packets with the subscription active. */
  #subscribed(subscription: Subscription, code: number): void {
    if (code >= 128 || this.#wanted.get(subscription.filter) !== subscription) return;
    this.#granted.set(subscription.filter, subscription);
    if (this.#granted.size >= this.#wanted.size) this.#announce();
  }

  /** Calls `onSettled` once after each change and each connect. */
  #announce(): void {
    if (this.#announced || !this.settled) return;
    this.#announced = true;
    this.options.onSettled();
  }

  /** Resolves to false if the request must be retried. A broker's refusal is recorded and retried only on reconnect. */
  async #subscribe(subscription: Subscription): Promise<boolean> {
    if (!this.#connection.connected) return false; // subscribed again on reconnect
    const { filter, id } = subscription;
    const qos = Math.min(subscription.qos, this.#allowed.qos) as QoS;
    const properties = this.#allowed.ids ? { properties: { subscriptionIdentifier: id } } : {};
    const five = this.#connection.protocol === 5;
    // Retain Handling 2: no retained messages here; webhooks that want them get a separate snapshot.
    const asked = five ? { qos, rh: 2, rap: false, nl: false, ...properties } : { qos };
    const { error, timedOut, granted } = await this.#requests.ask(
      filter,
      (done) => this.#connection.client.subscribe(filter, asked, done),
      (code) => this.#subscribed(subscription, code),
    );
    if (timedOut) return false;
    const refusal = refusalOf(error, granted);
    if (error && refusal === undefined) return false; // connection lost: subscribed again on reconnect
    if (refusal !== undefined) {
      this.#refused.set(filter, refusal);
      this.options.log.error({ filter, reason: refusal }, "subscription_refused");
      return true;
    }
    this.#refused.delete(filter);
    if (this.#wanted.get(filter) === subscription) this.#granted.set(filter, subscription);
    return true;
  }

  async #unsubscribe(filter: string): Promise<boolean> {
    if (!this.#connection.connected) return false;
    // The broker keeps no subscription of a session that ended with its connection.
    if (!this.options.persistent && this.#isolation.reasonFor(filter)) this.#left(filter);
    if (!this.#unwanted.has(filter)) return true;
    const { error, timedOut } = await this.#requests.ask(UNSUBSCRIBE + filter, (done) =>
      this.#connection.client.unsubscribe(filter, done),
    );
    if (error || timedOut) return false;
    this.#granted.delete(filter);
    // Wanted again before UNSUBACK arrived: subscribe again.
    if (this.#wanted.has(filter)) this.#dirty = true;
    this.#left(filter);
    return true;
  }
}

/** The refusal in SUBACK, if any: 0x80 in 3.1.1, 0x80 and above in 5. */
function refusalOf(error: unknown, granted: unknown): string | undefined {
  const packet = (error as { packet?: { granted?: number[] } } | undefined)?.packet;
  const code = packet?.granted?.[0] ?? (granted as { qos: number }[] | undefined)?.[0]?.qos;
  return code !== undefined && code >= 128
    ? `the broker refused the subscription (reason 0x${code.toString(16)})`
    : undefined;
}
