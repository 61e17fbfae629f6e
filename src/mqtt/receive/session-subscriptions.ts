/**
 * Subscriptions of one session: passes its events to the reducer in {@link ./session-reducer.ts} and performs the
 * actions on the connection.
 */
import type { IConnackPacket, Packet } from "mqtt";
import type { Connection, Log, ProtocolVersion } from "../client/connection.ts";
import { reduceSession } from "./session-reducer.ts";
import {
  emptySubscriptions,
  type FilterRequest,
  isSettled,
  type RequestAnswer,
  type SessionAction,
  type SessionEvent,
  type Subscription,
  type SubscriptionState,
  statusOf,
} from "./session-state.ts";

export interface SessionSubscriptionsOptions {
  connection(): Connection;
  persistent: boolean;
  log: Log;
  /** See the options of {@link SubscriberSession} with these names. */
  onConnect(copiesCarryIds: boolean): void;
  onSettled(): void;
  onUnsubscribed(filter: string): void;
}

type RequestCallback = (error?: unknown, granted?: unknown) => void;

const ACK_MS = 10_000;

export class SessionSubscriptions {
  #state: SubscriptionState;
  /** Unanswered requests by packet identifier. */
  readonly #asked = new Map<number, FilterRequest>();
  #pinged: (() => void) | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(private readonly options: SessionSubscriptionsOptions) {
    this.#state = emptySubscriptions(options.persistent);
  }

  /** Replaces the wanted subscriptions. Filters that are no longer wanted stay subscribed until {@link leave}. */
  want(subscriptions: Subscription[]): void {
    this.#handle({ type: "wanted", subscriptions, now: Date.now() });
  }

  /** Unsubscribes filters that are not wanted. */
  leave(filters: string[]): void {
    this.#handle({ type: "left", filters, now: Date.now() });
  }

  /** See {@link isSettled}. */
  get settled(): boolean {
    return isSettled(this.#state);
  }

  get status() {
    return statusOf(this.#state);
  }

  /** Whether a request is unanswered. */
  get isWaiting(): boolean {
    return this.#state.isolation.inFlight.size > 0;
  }

  connected(connack: IConnackPacket, protocol: ProtocolVersion): void {
    // MQTT 5 sections 3.2.2.3.4 and 3.2.2.3.12: if absent, QoS 2 and subscription identifiers are available.
    const { subscriptionIdentifiersAvailable, maximumQoS = 2 } = connack.properties ?? {};
    const available: unknown = subscriptionIdentifiersAvailable;
    const ids = protocol === 5 && available !== false && available !== 0;
    this.#handle({ type: "connected", allowed: { ids, qos: maximumQoS, options: protocol === 5 } });
    this.options.onConnect(ids);
    this.#sync();
  }

  /** Handles answers in packet order: MQTT.js calls back only some turns of the event loop later. */
  received(packet: Packet): void {
    if (packet.cmd === "pingresp") {
      this.#handle({ type: "ponged" });
      this.#pinged?.();
    } else if (packet.cmd === "suback" || packet.cmd === "unsuback") {
      const request = this.#asked.get(packet.messageId!);
      this.#asked.delete(packet.messageId!);
      if (!request) return;
      const code = packet.cmd === "suback" ? { code: packet.granted[0] as number } : {};
      this.#handle({ type: "ack_received", request, ...code });
    }
  }

  /** Call when the connection has ended. @param reasonCode of DISCONNECT, if one arrived */
  ended(reasonCode: number | undefined): void {
    this.#asked.clear();
    this.#pinged?.();
    this.#handle({ type: "ended", reasonCode, now: Date.now() });
  }

  stop(): void {
    this.#handle({ type: "stopped" });
  }

  /** The state is new before the actions: a callback may call the session. */
  #handle(event: SessionEvent): void {
    const [state, actions] = reduceSession(this.#state, event);
    this.#state = state;
    for (const action of actions) this.#perform(action);
  }

  #perform(action: SessionAction): void {
    switch (action.type) {
      case "subscribe":
        this.#subscribe(action);
        break;
      case "unsubscribe": {
        const { request } = action;
        this.#ask(request, (done) => this.#client.unsubscribe(request.filter, done));
        break;
      }
      case "ping":
        this.#ping();
        break;
      case "continue_round":
        queueMicrotask(() => this.#handle({ type: "round_continued", now: Date.now() }));
        break;
      case "retry_after":
        this.#retry = setTimeout(() => this.#sync(), action.ms).unref();
        break;
      case "cancel_retry":
        clearTimeout(this.#retry);
        break;
      case "report":
        this.options.log.error({ filter: action.filter, reason: action.reason }, action.event);
        break;
      case "announce_settled":
        this.options.onSettled();
        break;
      case "announce_unsubscribed":
        this.options.onUnsubscribed(action.filter);
        break;
    }
  }

  #sync(): void {
    this.#handle({ type: "sync_due", now: Date.now() });
  }

  get #client() {
    return this.options.connection().client;
  }

  #subscribe({ request, qos, id, options }: SessionAction & { type: "subscribe" }): void {
    const properties = id === undefined ? {} : { properties: { subscriptionIdentifier: id } };
    // Retain Handling 2: no retained messages here; webhooks that want them get a separate snapshot.
    const asked = options ? { qos, rh: 2, rap: false, nl: false, ...properties } : { qos };
    this.#ask(request, (done) => this.#client.subscribe(request.filter, asked, done));
  }

  /**
   * Sends a request. The answer is an event of its own turn: MQTT.js may call back while the connection is being closed,
   * when its end is not known yet.
   */
  #ask(request: FilterRequest, send: (done: RequestCallback) => void): void {
    const answer = this.#send(send);
    this.#asked.set(this.#client.getLastMessageId(), request);
    void answer.then((each) => this.#handle({ type: "answered", request, answer: each }));
  }

  #ping(): void {
    const over = this.#send((done) => {
      this.#pinged = done;
      this.#client.sendPing();
    });
    void over.then(() => {
      this.#pinged = undefined;
      this.#handle({ type: "ping_over" });
    });
  }

  #send(call: (done: RequestCallback) => void): Promise<RequestAnswer> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve({ outcome: "timed_out" }), ACK_MS);
      const done: RequestCallback = (error, granted) => {
        clearTimeout(timer);
        resolve({ outcome: error ? "failed" : "acknowledged", code: codeIn(error, granted) });
      };
      try {
        call(done);
      } catch (error) {
        done(error);
      }
    });
  }
}

/** Reason code of SUBACK in the arguments of the client's callback. */
function codeIn(error: unknown, granted: unknown): number | undefined {
  const packet = (error as { packet?: { granted?: number[] } } | undefined)?.packet;
  return packet?.granted?.[0] ?? (granted as { qos: number }[] | undefined)?.[0]?.qos;
}
