/**
 * Finds the message at which the broker ends the connection, and brings the connection back quickly after such an end.
 *
 * MQTT.js sends unacknowledged publishes again before it emits `connect`, oldest first and each alone. A connection that
 * ends then, soon after one was sent, charges that message, provided that the broker accepts the very next attempt to
 * connect: a broker that restarts, or a network that is down, refuses some first. Two charges in a row are a verdict.
 */
import type { MqttClient, Packet } from "mqtt";

export interface HangUpPorts<T> {
  /** The publish of that packet identifier that the broker has not acknowledged in any way. */
  find(messageId: number): T | undefined;
  /** The broker ends the connection at this one. @param reasonCode of its DISCONNECT, where it sent one */
  onVerdict(publish: T, reasonCode: number | undefined): void;
  /** The wait is over. When it ends with a `close` it is over before the listeners that follow. */
  onReturned(): void;
}

/** An end that comes later than this after the publish has another reason. */
const SOON_MS = 2_000;
const CHARGES = 2;
/** Reason codes of DISCONNECT that are about one PUBLISH: here one charge is enough. */
const ABOUT_MESSAGE = new Set([0x90, 0x95, 0x99, 0x9a, 0x9b]);
/**
 * Reason codes that are about the broker or the session, never about a message: keep alive, busy, shutting down, taken
 * over, rates and quotas, administrative action, another server, maximum connect time.
 */
const ABOUT_SESSION = new Set([0x89, 0x8b, 0x8d, 0x8e, 0x93, 0x96, 0x97, 0x98, 0x9c, 0x9d, 0x9f, 0xa0]);
/** Sooner than a broker restarts: a broker that is back by then has only ended the connection. */
const QUICK_MS = 5;
const QUICK_SPREAD_MS = 15;
/** Quick reconnects in a row, without an acknowledgement or a verdict between them. */
const MAX_QUICK = 5;
/** How long publishes wait for the connection to be back, after its end and after each verdict, and how many. */
const RETURN_MS = 1_000;
/** And in all: there may be many messages at which the broker hangs up. */
const MAX_RETURN_MS = 5_000;
const MAX_WAITING = 1_000;

export class HangUps<T> {
  readonly #client: MqttClient;
  readonly #usualMs: number;
  #accepted = false;
  /** Since the last connection that the broker accepted. */
  #attempts = 0;
  #reasonCode: number | undefined;
  /** Sent again on this connection, alone. */
  #suspect: { publish: T; messageId: number; sentAt: number } | undefined;
  /** The connection has ended at it; whether that counts depends on the next attempt to connect. */
  #ended: { publish: T; reasonCode: number | undefined } | undefined;
  #charged: { publish: T; times: number } | undefined;
  #quickLeft = MAX_QUICK;
  #returning: NodeJS.Timeout | undefined;
  /** When the first of the connections ended that did not get as far as `connect`. */
  #goneSince = 0;
  #waiting: (() => void)[] = [];
  readonly #sent = (packet: Packet) => this.#resent(packet);

  constructor(
    client: MqttClient,
    private readonly ports: HangUpPorts<T>,
  ) {
    this.#client = client;
    this.#usualMs = client.options.reconnectPeriod!;
    client.on("reconnect", () => {
      this.#attempts++;
      client.options.reconnectPeriod = this.#usualMs;
    });
    client.on("disconnect", ({ reasonCode }) => (this.#reasonCode = reasonCode));
    client.on("connect", () => client.off("packetsend", this.#sent));
    // Before MQTT.js sets its timer for the next attempt.
    client.prependListener("close", () => this.#closed());
  }

  /** CONNACK has accepted us, and nothing has been sent yet. */
  accepted(): void {
    const ended = this.#attempts === 1 ? this.#ended : undefined;
    this.#accepted = true;
    this.#ended = this.#suspect = this.#reasonCode = undefined;
    this.#attempts = 0;
    this.#client.off("packetsend", this.#sent).on("packetsend", this.#sent);
    const times = ended && this.#charged?.publish === ended.publish ? this.#charged.times + 1 : 1;
    this.#charged = ended && { publish: ended.publish, times };
    if (!ended || (times < CHARGES && !ABOUT_MESSAGE.has(ended.reasonCode ?? 0))) return;
    this.#charged = undefined;
    this.acknowledged();
    if (this.#returning && Date.now() - this.#goneSince < MAX_RETURN_MS) this.#returning.refresh();
    this.ports.onVerdict(ended.publish, ended.reasonCode);
  }

  /** The broker takes what is published: quick reconnects are no storm. */
  acknowledged(): void {
    this.#quickLeft = MAX_QUICK;
  }

  /** The connection has ended just now and may be back in a moment. @param others that wait for it, too */
  returning(others: number): boolean {
    return this.#returning !== undefined && this.#waiting.length + others < MAX_WAITING;
  }

  /** Resolves once the connection is back, or it is clear that it will take longer. */
  untilReturned(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Ends the wait. */
  returned(): void {
    this.#endWait();
    this.ports.onReturned();
  }

  #endWait(): void {
    clearTimeout(this.#returning);
    this.#returning = undefined;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #resent(packet: Packet): void {
    if (packet.cmd !== "publish") return;
    const publish = this.ports.find(packet.messageId!);
    this.#suspect = publish && { publish, messageId: packet.messageId!, sentAt: Date.now() };
  }

  #isUnanswered({ publish, messageId }: { publish: T; messageId: number }): boolean {
    return this.ports.find(messageId) === publish;
  }

  #closed(): void {
    if (!this.#accepted) {
      this.#endWait();
      return;
    }
    this.#accepted = false;
    this.#attempts = 0;
    const suspect = this.#suspect;
    const reasonCode = this.#reasonCode;
    const aboutSession = ABOUT_SESSION.has(reasonCode ?? 0);
    const isEnd = suspect && !aboutSession && Date.now() - suspect.sentAt < SOON_MS && this.#isUnanswered(suspect);
    this.#ended = isEnd ? { publish: suspect.publish, reasonCode } : undefined;
    if (aboutSession || this.#quickLeft === 0) {
      this.#endWait();
      return;
    }
    this.#quickLeft--;
    this.#client.options.reconnectPeriod = QUICK_MS + Math.floor(Math.random() * QUICK_SPREAD_MS);
    if (this.#returning) return;
    this.#goneSince = Date.now();
    this.#returning = setTimeout(() => this.returned(), RETURN_MS).unref();
  }
}
