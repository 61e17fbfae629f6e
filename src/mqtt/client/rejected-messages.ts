/**
 * Finds the message that the broker rejects by ending the connection, and reconnects quickly after such a disconnect.
 *
 * MQTT.js resends unacknowledged publishes before it emits `connect`, oldest first and one at a time. If the connection
 * ends soon after a resend, that disconnect counts against the message, provided that the broker accepts the very next connection attempt:
 * a broker that restarts, or a network failure, makes some attempts fail first. After two such disconnects in a row the message is confirmed as rejected.
 */
import type { MqttClient, Packet } from "mqtt";

export interface RejectionPorts<T> {
  /** Returns the publish with this packet identifier unless the broker has acknowledged it in any way. */
  find(messageId: number): T | undefined;
  /** Called when the broker ends the connection at this publish. @param reasonCode of its DISCONNECT, if it sent one */
  onRejected(publish: T, reasonCode: number | undefined): void;
  /** Called when the wait ends, unless a `close` ends it: then it has ended before later `close` listeners run. */
  onReturned(): void;
}

/** A disconnect later than this after the publish has another cause. */
const SOON_MS = 2_000;
/** Disconnects in a row after which the message is confirmed as rejected. */
const DISCONNECTS = 2;
/** Reason codes of DISCONNECT that concern one PUBLISH: one disconnect is enough. */
const ABOUT_MESSAGE = new Set([0x90, 0x95, 0x99, 0x9a, 0x9b]);
/**
 * Reason codes that concern the broker or the session, never a message: keep alive, busy, shutting down, taken over,
 * rates and quotas, administrative action, another server, maximum connect time.
 */
const ABOUT_SESSION = new Set([0x89, 0x8b, 0x8d, 0x8e, 0x93, 0x96, 0x97, 0x98, 0x9c, 0x9d, 0x9f, 0xa0]);
/** Faster than a broker restarts: a broker that accepts by then has not restarted, but only ended the connection. */
const QUICK_MS = 5;
const QUICK_SPREAD_MS = 15;
/** Quick reconnects in a row without an acknowledgement or a rejection between them. */
const MAX_QUICK = 5;
/** How long publishes wait for the reconnect, after a disconnect and after each rejection. */
const RETURN_MS = 1_000;
/** Limit of the wait across rejections: the broker may disconnect at many messages. */
const MAX_RETURN_MS = 5_000;
const MAX_WAITING = 1_000;

export class RejectionDetector<T> {
  readonly #client: MqttClient;
  readonly #usualMs: number;
  #accepted = false;
  /** Connection attempts since the last accepted connection ended. */
  #attempts = 0;
  #reasonCode: number | undefined;
  /** The last publish resent on this connection, alone in flight. */
  #candidate: { publish: T; messageId: number; sentAt: number } | undefined;
  /** The publish at which the connection ended; it counts only if the next connection attempt succeeds. */
  #ended: { publish: T; reasonCode: number | undefined } | undefined;
  #counted: { publish: T; times: number } | undefined;
  #quickLeft = MAX_QUICK;
  #returning: NodeJS.Timeout | undefined;
  /** End of the connection that started the current wait. */
  #goneSince = 0;
  #waiting: (() => void)[] = [];
  readonly #sent = (packet: Packet) => this.#resent(packet);

  constructor(
    client: MqttClient,
    private readonly ports: RejectionPorts<T>,
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

  /** Call when CONNACK has accepted the connection, before anything is sent. */
  accepted(): void {
    const ended = this.#attempts === 1 ? this.#ended : undefined;
    this.#accepted = true;
    this.#ended = this.#candidate = this.#reasonCode = undefined;
    this.#attempts = 0;
    this.#client.off("packetsend", this.#sent).on("packetsend", this.#sent);
    const times = ended && this.#counted?.publish === ended.publish ? this.#counted.times + 1 : 1;
    this.#counted = ended && { publish: ended.publish, times };
    if (!ended || (times < DISCONNECTS && !ABOUT_MESSAGE.has(ended.reasonCode ?? 0))) return;
    this.#counted = undefined;
    this.acknowledged();
    if (this.#returning && Date.now() - this.#goneSince < MAX_RETURN_MS) this.#returning.refresh();
    this.ports.onRejected(ended.publish, ended.reasonCode);
  }

  /** The broker acknowledges publishes: allows the full number of quick reconnects again. */
  acknowledged(): void {
    this.#quickLeft = MAX_QUICK;
  }

  /**
   * Whether a disconnect is recent enough, and few enough publishes wait, to wait for the reconnect.
   * @param others further waiting publishes
   */
  returning(others: number): boolean {
    return this.#returning !== undefined && this.#waiting.length + others < MAX_WAITING;
  }

  /** Resolves once the connection is back, or will clearly take longer. */
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
    this.#candidate = publish && { publish, messageId: packet.messageId!, sentAt: Date.now() };
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
    const candidate = this.#candidate;
    const reasonCode = this.#reasonCode;
    const aboutSession = ABOUT_SESSION.has(reasonCode ?? 0);
    const isEnd =
      candidate && !aboutSession && Date.now() - candidate.sentAt < SOON_MS && this.#isUnanswered(candidate);
    this.#ended = isEnd ? { publish: candidate.publish, reasonCode } : undefined;
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
