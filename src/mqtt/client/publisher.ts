/**
 * Publishing connection. Nothing is queued in memory while the broker is unavailable: such a publish fails at once. A
 * publish in flight when the connection breaks is resent until its deadline.
 */
import type { IConnackPacket, MqttClient } from "mqtt";
import type { OutgoingMessage, PublishResult } from "../../downlink/publish.ts";
import { reasonOf } from "../../security/redaction.ts";
import { type BrokerAddress, Connection, type Log } from "./connection.ts";
import { Deadlines } from "./deadlines.ts";
import { Drains } from "./drains.ts";
import { KnownRefusals } from "./known-refusals.ts";
import { beyondLimits, refused } from "./publish-limits.ts";
import { publishOptions } from "./publish-properties.ts";
import { RejectionDetector } from "./rejected-messages.ts";
import { Window } from "./window.ts";

export interface PublisherOptions {
  broker: BrokerAddress;
  clientId: string;
  log: Log;
  /** Milliseconds to wait for PUBACK or PUBCOMP. */
  ackTimeoutMs?: number;
  /** See the option of {@link Connection} with this name. */
  idle?: boolean;
}

const ACK_TIMEOUT_MS = 10_000;
const REJECTED = "the broker ended the connection each time it was sent this message";

type Settle = (result: PublishResult) => void;
type Done = (error?: Error & { code?: number | string }) => void;

/** A publish in progress. */
interface UnderWay {
  readonly message: OutgoingMessage;
  readonly qos: 0 | 1 | 2;
  readonly settle: Settle;
  readonly client: MqttClient;
  readonly startedAt: number;
  /** 0 until MQTT.js has assigned one, and always at QoS 0. */
  messageId: number;
  /** Reason code of PUBACK or PUBREC: MQTT.js does not pass it on, and PUBCOMP has no "no matching subscribers". */
  reasonCode: number;
  /** PUBREC has arrived: from now on PUBREL is resent instead of the message. */
  received: boolean;
  settled: boolean;
}

export class Publisher {
  readonly connection: Connection;
  readonly #ackTimeoutMs: number;
  readonly #window = new Window();
  /** Publishes in flight by packet identifier. */
  readonly #underWay = new Map<number, UnderWay>();
  readonly #deadlines: Deadlines<UnderWay>;
  readonly #drains = new Drains<UnderWay>((underWay) => this.#finish(underWay, { kind: "sent" }));
  #rejections!: RejectionDetector<UnderWay>;
  readonly #refusals = new KnownRefusals();
  /** The stream corked for the rest of this turn of the event loop. */
  #corked: { uncork(): void } | undefined;
  /** Limits that the broker sent in CONNACK. */
  #limits: NonNullable<IConnackPacket["properties"]> = {};

  constructor(options: PublisherOptions) {
    this.#ackTimeoutMs = options.ackTimeoutMs ?? ACK_TIMEOUT_MS;
    this.#deadlines = new Deadlines(this.#ackTimeoutMs, (underWay) => this.#giveUp(underWay, this.#ackTimeoutMs));
    this.connection = new Connection({
      broker: options.broker,
      name: "publish",
      clientId: options.clientId,
      persistent: false,
      log: options.log,
      idle: options.idle,
      prepare: (client) => this.#watch(client),
      onConnect: ({ properties }) => {
        this.#limits = properties ?? {};
        this.#window.connected(properties?.receiveMaximum);
        this.#rejections.returned();
      },
    });
  }

  /** Limits that the broker grants this connection; undefined while there is none. */
  get granted(): { maximumQos: number; retainAvailable: boolean } | undefined {
    const { maximumQoS = 2, retainAvailable = true } = this.#limits;
    return this.connection.connected ? { maximumQos: maximumQoS, retainAvailable } : undefined;
  }

  /** Publishes one message. Never rejects. @param waited whether the publish has already waited for the reconnect */
  publish(message: OutgoingMessage, waited = false): Promise<PublishResult> {
    if (!this.connection.connected) {
      if (waited || !this.#rejections.returning(this.#window.waiting)) return Promise.resolve(this.#unavailable());
      return this.#rejections.untilReturned().then(() => this.publish(message, true));
    }
    const refusal = this.#refusals.find(message) ?? beyondLimits(message, this.#limits);
    if (refusal) return Promise.resolve(refusal);
    return new Promise((settle) => {
      const { qos } = message;
      if (qos === 0) this.#send(message, settle);
      else if (!this.#window.enter(qos, this.#inTurn(message, settle))) settle({ kind: "busy" });
    });
  }

  async close(): Promise<void> {
    await this.connection.close();
    this.#rejections.returned();
    this.#giveUpAll(() => true);
  }

  #send(message: OutgoingMessage, settle: Settle): void {
    const { qos } = message;
    const startedAt = Date.now();
    const { client } = this.connection;
    const state = { messageId: 0, reasonCode: 0, received: false, settled: false };
    const underWay: UnderWay = { message, qos, settle, client, startedAt, ...state };
    const done: Done = (error) => this.#finish(underWay, error ? this.#failure(error) : this.#success(underWay));
    // MQTT.js calls back once the socket drains, and never if the connection breaks before: QoS 0 also needs a
    // deadline.
    this.#deadlines.start(underWay);
    this.#cork();
    const options = publishOptions(message, this.connection.protocol);
    if (qos !== 0) {
      this.#window.take(qos);
      // MQTT.js calls this in the same turn in which it assigns the identifier, which may be later than now.
      options.cbStorePut = (error?: Error) => {
        if (error) return;
        underWay.messageId = client.getLastMessageId();
        this.#underWay.set(underWay.messageId, underWay);
      };
    } else if (client.stream.writableNeedDrain && client.connected && !client.disconnecting) {
      client.publish(message.topic, message.payload, options, client.noop);
      this.#drains.wait(client.stream, underWay);
      return;
    }
    client.publish(message.topic, message.payload, options, done);
  }

  #success({ qos, reasonCode }: UnderWay): PublishResult {
    if (qos === 0) return { kind: "sent" };
    return { kind: "acknowledged", reasonCode: this.connection.protocol === 5 ? reasonCode : undefined };
  }

  #finish(underWay: UnderWay, result: PublishResult): void {
    if (underWay.settled) return;
    underWay.settled = true;
    this.#deadlines.met(underWay);
    if (underWay.qos === 0) {
      underWay.settle(result);
      return;
    }
    if (this.#underWay.get(underWay.messageId) === underWay) this.#underWay.delete(underWay.messageId);
    this.#window.leave(underWay.qos);
    underWay.settle(result);
    this.#next();
  }

  #giveUp(underWay: UnderWay, afterMs: number): void {
    this.#drop(underWay, { kind: "timeout", afterMs });
  }

  #drop(underWay: UnderWay, result: PublishResult): void {
    this.#finish(underWay, result);
    // Not resent at the next connect, because the caller has already got a failure. Once the connection has ended,
    // MQTT.js has closed its store and would throw.
    const { state } = this.connection;
    if (underWay.qos > 0 && state !== "closed" && state !== "taken_over") {
      underWay.client.removeOutgoingMessage(underWay.messageId);
    }
  }

  #giveUpAll(which: (publish: UnderWay) => boolean): void {
    for (const publish of this.#underWay.values()) {
      if (which(publish)) this.#giveUp(publish, Date.now() - publish.startedAt);
    }
    this.#next();
  }

  /** Sends the publishes of one turn of the event loop in one system call: one call each would double the cost. */
  #cork(): void {
    if (this.#corked) return;
    const { stream } = this.connection.client;
    this.#corked = stream;
    stream.cork();
    setImmediate(() => {
      this.#corked = undefined;
      stream.uncork();
    });
  }

  #inTurn(message: OutgoingMessage, settle: Settle): () => void {
    const since = Date.now();
    return () => {
      if (!this.connection.connected) settle(this.#unavailable());
      else if (Date.now() - since > this.#ackTimeoutMs)
        settle({ kind: "unavailable", reason: "the broker is too slow" });
      else this.#send(message, settle);
    };
  }

  #next(): void {
    const { connected } = this.connection;
    if (connected || !this.#rejections.returning(this.#window.waiting)) this.#window.next(!connected);
  }

  #failure(error: Error & { code?: number | string }): PublishResult {
    if (typeof error.code === "number" && error.code >= 0x80) return refused(error.code, reasonOf(error));
    return this.#unavailable();
  }

  #unavailable(): PublishResult {
    return { kind: "unavailable", reason: this.connection.lastError ?? "there is no connection to the broker" };
  }

  #watch(client: MqttClient): void {
    this.#rejections = new RejectionDetector(client, {
      find: (messageId) => {
        const underWay = this.#underWay.get(messageId);
        return underWay?.received ? undefined : underWay;
      },
      onRejected: (underWay, reasonCode) => {
        const refusal = refused(reasonCode, REJECTED);
        this.#refusals.add(underWay.message, refusal);
        this.#drop(underWay, refusal);
      },
      onReturned: () => this.#next(),
    });
    client.on("packetreceive", (packet) => {
      if (packet.cmd === "connack" && (packet.reasonCode || packet.returnCode || 0) === 0) this.#rejections.accepted();
      if (packet.cmd !== "puback" && packet.cmd !== "pubrec") return;
      const underWay = this.#underWay.get(packet.messageId!);
      if (!underWay) return;
      underWay.reasonCode = packet.reasonCode ?? 0;
      underWay.received = packet.cmd === "pubrec";
      this.#rejections.acknowledged();
    });
    // PUBREC only: the session ends with the connection, and the broker may or may not have published the message. The
    // close may also come before MQTT.js has resent everything, which it does before it emits `connect`.
    client.on("close", () => this.#giveUpAll(({ received }) => received));
  }
}
