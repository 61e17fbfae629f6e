/**
 * Live messages for current listeners: streams, and requests that wait for their response. Nothing is stored. The
 * sessions are separate, so that listeners that come and go never affect the sessions that must not lose messages.
 *
 * However many listeners use the same filters, the broker has one subscription per filter; and however filters overlap,
 * a listener gets each message once. {@link Subscriptions} ensures both, as it does for webhooks.
 */
import { Refused } from "../errors.ts";
import type { Message, QoS } from "../message.ts";
import { type ReceivedPacket, routedCopy, toMessage } from "../uplink/receive/intake.ts";
import type { Assignment } from "../uplink/receive/reconciliation/session-plan.ts";
import type { Refusal, Session, SessionCallbacks } from "../uplink/receive/session.ts";
import { type AssignmentRecords, Subscriptions } from "../uplink/receive/subscriptions.ts";

export interface LiveSession extends Session {
  readonly status: { refused: Refusal[] };
}

export interface FeedOptions<S extends LiveSession> {
  openSession(callbacks: SessionCallbacks, receive: (packet: ReceivedPacket, done: () => void) => void): S;
  /** Why the broker cannot be used now; undefined if it can. */
  outage(): string | undefined;
  onError(error: Error): void;
}

export type OnMessage = (message: Message) => void;

export interface Listening {
  /** Idempotent. */
  close(): void;
}

/** All listeners with the same set of filters. */
interface Channel {
  id: string;
  topics: string[];
  qos: QoS;
  listeners: Set<{ onMessage: OnMessage }>;
}

const GRANT_MS = 5_000;
const LIVE_QOS = 1;
/** Maximum number of different sets of filters. */
const MAX_CHANNELS = 10_000;

export class LiveSubscriptions<S extends LiveSession> {
  readonly #channels = new Map<string, Channel>();
  readonly #byId = new Map<string, Channel>();
  readonly #subscriptions: Subscriptions<S>;
  #started: Promise<void> | undefined;
  #lastId = 0;

  constructor(private readonly options: FeedOptions<S>) {
    this.#subscriptions = new Subscriptions<S>({
      webhooks: () => this.#byId.values(),
      records: recordsInMemory(),
      openSession: (callbacks) =>
        options.openSession(callbacks, (packet, done) => {
          this.#receive(packet, callbacks.index);
          done();
        }),
      onError: options.onError,
    });
  }

  /** Number of filter sets subscribed, or about to be. */
  get size(): number {
    return this.#channels.size;
  }

  get sessions(): readonly S[] {
    return this.#subscriptions.sessions;
  }

  /**
   * Resolves once the broker has granted every filter: messages published from then on arrive. Retained messages are
   * not replayed.
   */
  async listen(topics: string[], onMessage: OnMessage): Promise<Listening | Refused> {
    const outage = this.options.outage();
    if (outage !== undefined) return unavailable(outage);
    const channel = this.#channelOf([...new Set(topics)].sort());
    if (channel instanceof Refused) return channel;
    const listener = { onMessage };
    channel.listeners.add(listener);
    const close = () => {
      if (channel.listeners.delete(listener) && channel.listeners.size === 0) this.#end(channel);
    };
    try {
      this.#started ??= this.#subscriptions.start();
      await this.#started;
      const isGranted = await this.#subscriptions.untilSynchronized(GRANT_MS);
      const refused = isGranted ? this.#refusedBy(channel.topics) : unavailable("the broker did not grant it in time");
      if (refused) close();
      return refused ?? { close };
    } catch (error) {
      close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#subscriptions.stop();
  }

  #channelOf(topics: string[]): Channel | Refused {
    const key = JSON.stringify(topics);
    const known = this.#channels.get(key);
    if (known) return known;
    if (this.#channels.size >= MAX_CHANNELS) {
      return new Refused("rate_limited", "there are live subscriptions to too many different filters", SOON);
    }
    const channel: Channel = {
      id: `channel-${++this.#lastId}`,
      topics,
      qos: LIVE_QOS,
      listeners: new Set(),
    };
    this.#channels.set(key, channel);
    this.#byId.set(channel.id, channel);
    this.#subscriptions.refresh();
    return channel;
  }

  #end({ id, topics }: Channel): void {
    this.#channels.delete(JSON.stringify(topics));
    this.#byId.delete(id);
    this.#subscriptions.refresh();
  }

  /** Refuses filters whose subscription the broker refused. */
  #refusedBy(topics: string[]): Refused | undefined {
    for (const { status } of this.#subscriptions.sessions) {
      const refused = status.refused.find(({ filter }) => topics.includes(filter));
      if (refused) return new Refused("broker_refused", `${refused.filter}: ${refused.reason}`);
    }
    return undefined;
  }

  #receive(packet: ReceivedPacket, session: number): void {
    // A retained message sent because of the subscription is not a live message (MQTT 5 section 3.3.1.3).
    if (packet.retain) return;
    const ids = this.#subscriptions.route(packet.topic, routedCopy(packet, session));
    if (!ids || ids.length === 0) return;
    const message = toMessage(packet);
    for (const id of ids) for (const { onMessage } of this.#byId.get(id)?.listeners ?? []) onMessage(message);
  }
}

const SOON = { retryAfterSeconds: 1 };

function unavailable(reason: string): Refused {
  return new Refused("broker_unavailable", reason, SOON);
}

/** Assignments in memory: these sessions end with the connection, so their assignments end with the process. */
function recordsInMemory(): AssignmentRecords {
  const records = new Map<string, { value: Assignment; version: number }>();
  return {
    all: async () => [...records].map(([id, record]) => ({ id, ...record })),
    create: async (filter, value) => {
      if (records.has(filter)) return false;
      records.set(filter, { value, version: 1 });
      return true;
    },
    replace: async (filter, value, version) => {
      if (records.get(filter)?.version !== version) return false;
      records.set(filter, { value, version: version + 1 });
      return true;
    },
    remove: async (filter) => records.delete(filter),
  };
}
