/**
 * MQTT connection that negotiates the broker's protocol version, reconnects forever and reports its state. Policy for
 * publishing and receiving is in the files that use it.
 */
import { connect, type MqttClient, Store } from "mqtt";
import { withDeadline } from "../../lib/deadline.ts";
import { reasonOf } from "../../security/redaction.ts";
import {
  CONNECT_MS,
  type ConnectionOptions,
  type ConnectionState,
  clientOptions,
  NEGOTIATE_MS,
  RECEIVE_MAXIMUM,
  RECONNECT_MS,
  TOLERATED_MESSAGES,
} from "./connection-options.ts";
import { Negotiation, type ProtocolVersion } from "./negotiation.ts";
import { SESSION_TAKEN_OVER, STAND_DOWN_MS, TakeOverDetection } from "./take-over.ts";

export type { BrokerAddress, ConnectionOptions, ConnectionState, Log } from "./connection-options.ts";
export type { ProtocolVersion };

const UNSUPPORTED_VERSION = new Set([1, 132]); // CONNACK return code of 3.1.1, reason code of 5

export class Connection {
  readonly client: MqttClient;
  #state: ConnectionState = "connecting";
  #lastError: string | undefined;
  readonly #negotiation: Negotiation;
  #waiting: NodeJS.Timeout | undefined;
  readonly #takeOver: TakeOverDetection;
  #disconnectReason: number | undefined;
  /** Whether an error of our client, not of the transport, ended this connection. */
  #endedHere = false;
  /** Outcome of the current attempt: CONNACK arrived, the transport failed, the version was refused. */
  #attempt = { answered: false, transportFailed: false, refusedVersion: false };

  constructor(private readonly options: ConnectionOptions) {
    const { broker } = options;
    this.#negotiation = new Negotiation(broker.protocol, options.known?.());
    this.#takeOver = new TakeOverDetection(options.persistent);
    this.client = connect(broker.url, clientOptions(options, this.#negotiation.version));
    // With it, MQTT.js takes back its `disconnecting` at the end of end(), and a late `close` then reconnects for ever.
    this.client.options.manualConnect = false;
    this.client.setMaxListeners(0);
    this.#listen();
    options.prepare?.(this.client);
    if (options.idle) this.#state = "closed";
    else this.client.connect();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get connected(): boolean {
    return this.#state === "connected";
  }

  /** The version of the current or last accepted connection. */
  get protocol(): ProtocolVersion | undefined {
    return this.#negotiation.proven;
  }

  /** Why the connection is down, for people. */
  get lastError(): string | undefined {
    return this.#lastError;
  }

  /** The reason code of the DISCONNECT that ended the current or last connection; undefined if none arrived. */
  get disconnectReason(): number | undefined {
    return this.#disconnectReason;
  }

  /** Resolves at the next accepted CONNECT; at once if connected. */
  async untilConnected(signal?: AbortSignal): Promise<void> {
    if (this.connected) return;
    await new Promise<void>((resolve, reject) => {
      const done = () => {
        this.client.off("connect", done);
        signal?.removeEventListener("abort", done);
        if (signal?.aborted) reject(signal.reason);
        else resolve();
      };
      this.client.on("connect", done);
      signal?.addEventListener("abort", done);
    });
  }

  /**
   * Discards incoming data until {@link close}. A socket with unread bytes does not close, and is finally reset: the
   * last data written, such as acknowledgements, may then be lost.
   */
  ignore(): void {
    this.client.stream?.unpipe().resume();
  }

  /** Disconnects for good within `timeoutMs`. A persistent session stays at the broker. Idempotent. */
  async close(timeoutMs = 2_000): Promise<void> {
    clearTimeout(this.#waiting);
    if (this.#state === "closed") return;
    const wasConnected = this.connected;
    this.#state = "closed";
    // The timer keeps the process alive: components closed after this connection must get their turn.
    const late = () => new Error(`not closed within ${timeoutMs} ms`);
    await withDeadline(this.client.endAsync(!wasConnected), timeoutMs, late).catch(() => undefined);
    if (!this.client.stream?.destroyed) this.client.stream?.destroy();
  }

  #listen(): void {
    const { client, options } = this;
    client.on("connect", (connack) => {
      this.#negotiation.accepted();
      const protocol = this.#negotiation.version;
      this.#takeOver.connected(Date.now());
      this.#lastError = undefined;
      this.#disconnectReason = undefined;
      this.#endedHere = false;
      client.options.connectTimeout = CONNECT_MS;
      this.#state = "connected";
      const { name, clientId } = options;
      options.log.info({ connection: name, client_id: clientId, protocol: protocolName(protocol) }, "mqtt_connected");
      options.onConnect?.(connack, protocol);
    });
    client.on("error", (error) => this.#failed(error));
    client.on("disconnect", (packet) => {
      this.#disconnectReason = packet.reasonCode ?? 0;
      this.#lastError = `the broker disconnected us (reason ${this.#disconnectReason})`;
      if (packet.reasonCode === SESSION_TAKEN_OVER && this.#mayConnect) this.#standDown();
    });
    // MQTT.js emits `connect` only after it has resent publishes in flight, and the broker may disconnect before that.
    client.on("packetreceive", ({ cmd }) => {
      if (cmd !== "connack") return;
      this.#attempt.answered = true;
      limitReceived(client, TOLERATED_MESSAGES);
    });
    client.on("close", () => this.#closed());
    // A new attempt begins: reset the outcome of the last one.
    client.on("reconnect", () => {
      this.#attempt = { answered: false, transportFailed: false, refusedVersion: false };
      limitReceived(client, RECEIVE_MAXIMUM);
    });
  }

  #failed(error: Error & { code?: number | string }): void {
    if (typeof error.code === "string") this.#attempt.transportFailed = true;
    else if (this.connected) this.#endedHere = true;
    if (typeof error.code === "number" && !this.connected) {
      this.#attempt.answered = true;
      this.#attempt.refusedVersion = UNSUPPORTED_VERSION.has(error.code);
    }
    // Log once per reason, not once per attempt: an outage must not fill the log.
    const reason = reasonOf(error);
    if (reason !== this.#lastError) {
      this.options.log.warn({ connection: this.options.name, error: reason }, "mqtt_connection_failed");
    }
    this.#lastError = reason;
  }

  #closed(): void {
    if (this.#state === "closed" || this.#state === "taken_over") return;
    const wasConnected = this.#state === "connected";
    this.#state = "offline";
    if (wasConnected) this.#lost();
    else this.#negotiation.failed(this.#attempt);
    this.#useVersion();
    if (this.#state === "offline" && !this.#mayConnect) this.#holdBack();
  }

  get #mayConnect(): boolean {
    return this.options.mayConnect?.() ?? true;
  }

  #lost(): void {
    const { log, name, isAsking } = this.options;
    const reasonCode = this.#disconnectReason;
    this.#takeOver.lost({ now: Date.now(), reasonCode, isAsking: isAsking?.() ?? false, isOwn: this.#endedHere });
    log.warn({ connection: name, error: this.#lastError }, "mqtt_disconnected");
    this.options.onClose?.();
    if (this.#takeOver.isTakenOver && this.#mayConnect) this.#standDown();
    else this.#negotiation.lost();
  }

  #useVersion(): void {
    const { options } = this.client;
    const { version, proven } = this.#negotiation;
    if (options.protocolVersion === version) return;
    options.protocolVersion = version;
    if (!proven) options.connectTimeout = NEGOTIATE_MS;
    this.options.log.info({ connection: this.options.name, protocol: protocolName(version) }, "mqtt_protocol_tried");
  }

  #standDown(): void {
    if (this.#state === "taken_over" || this.#state === "closed") return;
    this.#state = "taken_over";
    this.#takeOver.reset();
    this.#lastError = `another client connected as ${this.options.clientId}; trying again in ${STAND_DOWN_MS / 1000} s`;
    this.options.log.error(
      { connection: this.options.name, client_id: this.options.clientId },
      "mqtt_session_taken_over",
    );
    this.options.onClose?.();
    this.client.end(true);
    this.#wait(STAND_DOWN_MS);
  }

  #holdBack(): void {
    this.#lastError = "another client may have the session by now; connecting again once that is known";
    this.client.end(true);
    this.#wait(RECONNECT_MS);
  }

  #wait(ms: number): void {
    clearTimeout(this.#waiting);
    this.#waiting = setTimeout(() => {
      if (!this.#mayConnect) return this.#wait(RECONNECT_MS);
      this.#state = "connecting";
      const incomingStore = this.options.client?.incomingStore ?? new Store();
      this.client.reconnect({ incomingStore, outgoingStore: new Store() });
    }, ms);
    this.#waiting.unref();
  }
}

/** MQTT.js announces its limit in CONNECT and enforces it from CONNACK on. The field is private. */
function limitReceived(client: MqttClient, messages: number): void {
  (client as unknown as { _receiveMaximum: number })._receiveMaximum = messages;
}

export function protocolName(version: ProtocolVersion | 3 | undefined): "5" | "3.1.1" | undefined {
  return version === undefined ? undefined : version === 5 ? "5" : "3.1.1";
}
