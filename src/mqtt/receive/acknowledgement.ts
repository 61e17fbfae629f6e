/**
 * Acknowledges messages once they are durable, without blocking the packets that follow.
 *
 * MQTT.js parses the next packet only when `handleMessage` calls back, and then sends the acknowledgement itself. To
 * separate the two, this file lets the parser continue at once and holds back PUBACK (QoS 1) and PUBREC (QoS 2) until
 * the message is durable, in order of arrival ([MQTT-4.6.0-2], [MQTT-4.6.0-3]). This needs MQTT.js's private
 * `_sendPacket`: the version is pinned, and test/mqtt/receive/acknowledgement.test.ts fails if a new one changes it.
 *
 * QoS 2 follows the specification's second method (section 4.3.3): the message is passed on at PUBLISH, and only its
 * packet identifier is remembered until PUBREL. A PUBLISH repeated with the same identifier is the same message.
 * `incoming.ts` stores the identifiers beyond the process and holds PUBCOMP back.
 */
import type { IClientOptions, IPublishPacket, IStore, MqttClient } from "mqtt";
import type { Identity, Incoming } from "./incoming.ts";

/** One received message and its completion callback. */
export interface Receipt {
  /** `identity` is set for a QoS 2 message of a session that stores its incoming messages. */
  packet: IPublishPacket & { identity?: Identity };
  /** Call once the outcome of the message is durable. Never throws; idempotent. */
  done(): void;
}

export interface ReceiveLimits {
  /** Number of received messages not yet done at which reading from the socket stops. */
  maxPending: number;
  /** The same limit in bytes of payload. */
  maxPendingBytes: number;
}

const ACKNOWLEDGEMENTS = new Set(["puback", "pubrec", "pubcomp"]);

type PacketSender = (packet: { cmd: string; messageId?: number }, callback?: () => void, ...rest: unknown[]) => void;

interface HeldAcknowledgement {
  packet: IPublishPacket;
  durable: boolean;
  /** Sends the held acknowledgement; absent until MQTT.js requests it on this connection. */
  send: (() => void) | undefined;
}

export class Acknowledger {
  /** Unacknowledged QoS 1 and 2 messages by packet identifier; QoS 2 until PUBREL. At most 65,535. */
  readonly #entries = new Map<number, HeldAcknowledgement>();
  /** Acknowledgements due on this connection, in order of arrival. */
  #line: HeldAcknowledgement[] = [];
  #pending = 0;
  #pendingBytes = 0;
  #resume: (() => void)[] = [];
  /** Number of ended connections: a PUBCOMP that waits for the store is sent only on its own connection. */
  #ended = 0;
  #paused = false;
  #releasing = false;
  #drained: (() => void)[] = [];

  constructor(
    private readonly limits: ReceiveLimits,
    private readonly receive: (receipt: Receipt) => void,
    /** Absent: QoS 2 messages that a process left incomplete arrive again as new ones. */
    private readonly incoming?: Incoming,
  ) {}

  /** Required MQTT.js options: a store that never blocks the parser. */
  readonly clientOptions: IClientOptions = { incomingStore: this.#incomingStore() as unknown as IStore };

  /** Number of messages received but not yet durable. */
  get pending(): number {
    return this.#pending;
  }

  /** Stops receiving for good; resolves once all received messages are durable and acknowledged. */
  async drain(): Promise<void> {
    this.#paused = true;
    if (this.#pending > 0) await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  attach(client: MqttClient): void {
    const internals = client as unknown as { _sendPacket: PacketSender };
    if (typeof internals._sendPacket !== "function") throw new Error("MQTT.js has no _sendPacket: pin its version");
    const send = internals._sendPacket.bind(client);
    internals._sendPacket = (packet, callback, ...rest) => {
      // MQTT.js would send it on the next connection, where the identifier may denote another message.
      if (!client.connected && ACKNOWLEDGEMENTS.has(packet.cmd)) return callback?.();
      if (packet.cmd === "pubcomp" && this.incoming) {
        const ended = this.#ended;
        this.incoming.release(packet.messageId!, () => {
          if (ended === this.#ended && client.connected) send(packet);
        });
        return this.#goOn(callback);
      }
      const held = packet.cmd === "puback" || packet.cmd === "pubrec";
      const entry = held ? this.#entries.get(packet.messageId!) : undefined;
      if (!entry) return send(packet, callback, ...rest);
      entry.send = () => send(packet);
      if (entry.durable) this.#releaseSoon();
      this.#goOn(callback);
    };
    // Messages read before the connection broke can no longer be acknowledged: the broker sends them again.
    client.handleMessage = (packet, callback) => {
      if (packet.qos === 0) {
        this.#take(packet, undefined);
        this.#goOn(callback);
        return;
      }
      // For a QoS 2 message MQTT.js calls this at PUBREL, long after the message was received.
      if (packet.qos === 1 && client.connected) this.#takeOnce(packet);
      callback();
    };
    client.options.customHandleAcks = (_topic, _message, packet, callback) => {
      if (this.#paused) return; // MQTT.js calls this first for QoS 1 and 2; it reads no further
      if (packet.qos === 2 && client.connected) this.#takeOnce(packet);
      callback(0);
    };
    // Not at "connect": MQTT.js emits it some turns later, after the packets that directly follow CONNACK.
    client.on("packetreceive", (packet) => {
      if (packet.cmd === "connack") this.incoming?.connected(packet.sessionPresent);
    });
    client.on("close", () => this.#connectionLost());
  }

  /** Drops the acknowledgements due on the lost connection: the broker sends those messages again. */
  #connectionLost(): void {
    this.#ended++;
    this.#line = [];
    for (const entry of this.#entries.values()) entry.send = undefined;
    for (const resume of this.#resume.splice(0)) resume();
  }

  #takeOnce(packet: IPublishPacket): void {
    const id = packet.messageId!;
    const known = this.#entries.get(id);
    // The same message again while the first copy is in progress: one receipt and one acknowledgement are enough,
    // whether it comes after a reconnect or on the same connection (MQTT 3.1.1 brokers may retry there).
    if (known && packet.dup && isSameMessage(known.packet, packet)) {
      if (!this.#line.includes(known)) this.#line.push(known);
      return;
    }
    const entry: HeldAcknowledgement = { packet, durable: false, send: undefined };
    this.#entries.set(id, entry);
    this.#line.push(entry);
    this.#take(packet, entry);
  }

  #take(packet: IPublishPacket, entry: HeldAcknowledgement | undefined): void {
    const bytes = packet.payload.length;
    this.#pending++;
    this.#pendingBytes += bytes;
    let finished = false;
    const done = () => {
      if (finished) return;
      finished = true;
      this.#pending--;
      this.#pendingBytes -= bytes;
      if (entry) {
        entry.durable = true;
        this.#releaseSoon();
      }
      if (this.#pending === 0 && this.#drained.length > 0) {
        this.#release();
        for (const drained of this.#drained.splice(0)) drained();
      }
      if (this.#resume.length > 0 && !this.#full()) for (const resume of this.#resume.splice(0)) resume();
    };
    if (packet.qos !== 2 || !this.incoming) this.receive({ packet, done });
    else
      this.incoming.publish(packet, ({ id, receivedAt }) =>
        this.receive({ packet: { ...packet, identity: { id, receivedAt } }, done }),
      );
  }

  /** Releases once for all messages of a batch, which become durable in the same turn. */
  #releaseSoon(): void {
    if (this.#releasing) return;
    this.#releasing = true;
    queueMicrotask(() => {
      this.#releasing = false;
      this.#release();
    });
  }

  #release(): void {
    let sent = 0;
    for (const entry of this.#line) {
      if (!entry.durable || !entry.send) break;
      sent++;
      const { messageId, qos } = entry.packet;
      if (qos === 1 && this.#entries.get(messageId!) === entry) this.#entries.delete(messageId!);
      entry.send();
      entry.send = undefined;
    }
    if (sent > 0) this.#line.splice(0, sent);
  }

  #goOn(callback: (() => void) | undefined): void {
    if (!callback) return;
    if (this.#full()) this.#resume.push(callback);
    else callback();
  }

  #full(): boolean {
    return this.#paused || this.#pending >= this.limits.maxPending || this.#pendingBytes >= this.limits.maxPendingBytes;
  }

  /** Store in which PUBREL finds every identifier, so that MQTT.js sends PUBCOMP and forgets it. */
  #incomingStore() {
    type Callback = (error?: Error | null, packet?: object) => void;
    return {
      put: (packet: object, callback: Callback) => callback(null, packet),
      get: ({ messageId }: { messageId: number }, callback: Callback) =>
        callback(null, {
          cmd: "publish",
          topic: "",
          payload: Buffer.alloc(0),
          qos: 2,
          retain: false,
          dup: false,
          messageId,
        }),
      // MQTT.js also deletes, by the bare identifier, when CONNACK reports a new session. RSMB and ActiveMQ report one
      // for a session that they resume; if the session is really new, the next message with that identifier replaces
      // the entry.
      del: ({ messageId, cmd }: { messageId: number; cmd?: string }, callback: Callback) => {
        if (cmd && this.#entries.get(messageId)?.packet.qos === 2) this.#entries.delete(messageId);
        callback(null);
      },
      createStream: () => undefined,
      close: (callback: Callback) => callback(null),
    };
  }
}

function isSameMessage(a: IPublishPacket, b: IPublishPacket): boolean {
  return a.topic === b.topic && a.qos === b.qos && Buffer.compare(toBuffer(a.payload), toBuffer(b.payload)) === 0;
}

function toBuffer(payload: string | Buffer): Buffer {
  return typeof payload === "string" ? Buffer.from(payload) : payload;
}
