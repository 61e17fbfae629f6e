/**
 * The connection that publishes. Nothing is kept in memory for a broker that is away: such a publish fails at once,
 * and one that was under way when the connection broke is sent again until its deadline.
 */
import type { IConnackPacket, MqttClient } from "mqtt";
import type { OutgoingMessage, PublishResult } from "../../downlink/publish.ts";
import { reasonOf } from "../../security/redaction.ts";
import { type BrokerAddress, Connection, type Log } from "./connection.ts";
import { Deadlines } from "./deadlines.ts";
import { Drains } from "./drains.ts";
import { KnownRefusals } from "./known-refusals.ts";
import { HangUps } from "./poison-messages.ts";
import { beyondLimits, refused } from "./publish-limits.ts";
import { publishOptions } from "./publish-properties.ts";
import { Window } from "./window.ts";

export interface PublisherOptions {
  broker: BrokerAddress;
  clientId: string;
  log: Log;
  /** Milliseconds to wait for PUBACK or PUBCOMP. */
  ackTimeoutMs?: number;
  /** See {@link Connection}'s option of that name. */
  idle?: boolean;
}

const ACK_TIMEOUT_MS = 10_000;
const HUNG_UP = "the broker ended the connection each time it was sent this message";

type Settle = (result: PublishResult) => void;
type Done = (error?: Error & { code?: number | string }) => void;

/** A publish between its call and its end. */
interface UnderWay {
  readonly message: OutgoingMessage;
  readonly qos: 0 | 1 | 2;
  readonly settle: Settle;
  readonly client: MqttClient;
  readonly startedAt: number;
  /** 0 until MQTT.js has given it one, and always at QoS 0. */
  messageId: number;
  /** Of PUBACK or PUBREC: MQTT.js does not hand it on, and "no matching subscribers" is not in PUBCOMP. */
  reasonCode: number;
  /** PUBREC has come: from now on PUBREL is sent again, and no longer the message. */
  received: boolean;
  settled: boolean;
}

export class Publisher {
  readonly connection: Connection;
  readonly #ackTimeoutMs: number;
  readonly #window = new Window();
  /** By packet identifier. */
  readonly #underWay = new Map<number, UnderWay>();
  readonly #deadlines: Deadlines<UnderWay>;
  readonly #drains = new Drains<UnderWay>((underWay) => this.#finish(underWay, { kind: "sent" }));
  #hangUps!: HangUps<UnderWay>;
  readonly #refusals = new KnownRefusals();
  /** The stream that is corked for the rest of this turn of the event loop. */
  #corked: { uncork(): void } | undefined;
  /** What the broker said at CONNACK that it does not take. */
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
        this.#hangUps.returned();
      },
    });
  }

  /** Publishes one message. Never rejects. @param waited for the connection to be back */
  publish(message: OutgoingMessage, waited = false): Promise<PublishResult> {
    if (!this.connection.connected) {
      if (waited || !this.#hangUps.returning(this.#window.waiting)) return Promise.resolve(this.#unavailable());
      return this.#hangUps.untilReturned().then(() => this.publish(message, true));
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
    this.#hangUps.returned();
    this.#giveUpAll(() => true);
  }

  #send(message: OutgoingMessage, settle: Settle): void {
    const { qos } = message;
    const startedAt = Date.now();
    const { client } = this.connection;
    const state = { messageId: 0, reasonCode: 0, received: false, settled: false };
    const underWay: UnderWay = { message, qos, settle, client, startedAt, ...state };
    const done: Done = (error) => this.#finish(underWay, error ? this.#failure(error) : this.#success(underWay));
    // MQTT.js calls back once the socket takes more, and never when the connection breaks before: hence a deadline
    // at QoS 0 too.
    this.#deadlines.start(underWay);
    this.#cork();
    const options = publishOptions(message, this.connection.protocol);
    if (qos !== 0) {
      this.#window.take(qos);
      // Called in the same turn in which MQTT.js takes the identifier, which may be later than now.
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
    // Not sent again at the next connect, after the caller was told that it failed. MQTT.js has closed its store, and
    // would throw, once the connection has ended.
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

  /** What is published in one turn of the event loop goes out with one system call: each costs as much as the rest. */
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
    if (connected || !this.#hangUps.returning(this.#window.waiting)) this.#window.next(!connected);
  }

  #failure(error: Error & { code?: number | string }): PublishResult {
    if (typeof error.code === "number" && error.code >= 0x80) return refused(error.code, reasonOf(error));
    return this.#unavailable();
  }

  #unavailable(): PublishResult {
    return { kind: "unavailable", reason: this.connection.lastError ?? "there is no connection to the broker" };
  }

  #watch(client: MqttClient): void {
    this.#hangUps = new HangUps(client, {
      find: (messageId) => {
        const underWay = this.#underWay.get(messageId);
        return underWay?.received ? undefined : underWay;
      },
      onVerdict: (underWay, reasonCode) => {
        const refusal = refused(reasonCode, HUNG_UP);
        this.#refusals.add(underWay.message, refusal);
        this.#drop(underWay, refusal);
      },
      onReturned: () => this.#next(),
    });
    client.on("packetreceive", (packet) => {
      if (packet.cmd === "connack" && (packet.reasonCode || packet.returnCode || 0) === 0) this.#hangUps.accepted();
      if (packet.cmd !== "puback" && packet.cmd !== "pubrec") return;
      const underWay = this.#underWay.get(packet.messageId!);
      if (!underWay) return;
      underWay.reasonCode = packet.reasonCode ?? 0;
      underWay.received = packet.cmd === "pubrec";
      this.#hangUps.acknowledged();
    });
    // The session ends with the connection, and a broker may or may not have published what it only received. Also when
    // it ends before MQTT.js has sent everything again, which it does before it says that it is connected.
    client.on("close", () => this.#giveUpAll(({ received }) => received));
  }
}
