/**
 * MQTT connection that negotiates the broker's protocol version, reconnects forever and reports its state. Policy for
 * publishing and receiving is in the files that use it.
 */
import { connect, type IClientOptions, type IConnackPacket, type MqttClient, Store } from "mqtt";
import { reasonOf } from "../../security/redaction.ts";
import { Negotiation, type ProtocolVersion } from "./negotiation.ts";

export type { ProtocolVersion };

/** The broker's URL and our credentials. Certificates are PEM. */
export interface BrokerAddress {
  url: string;
  username?: string;
  password?: string;
  ca?: string;
  cert?: string;
  key?: string;
  /** Protocol for ALPN in the TLS handshake. */
  alpn?: string;
  protocol: "auto" | "5" | "3.1.1";
}

/**
 * `taken_over`: another client connected with our client id. We disconnect and retry much later, because two clients
 * that keep taking over each other's session deliver nothing.
 */
export type ConnectionState = "connecting" | "connected" | "offline" | "taken_over" | "closed";

export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface ConnectionOptions {
  broker: BrokerAddress;
  /** Purpose of the connection, for log lines. */
  name: string;
  clientId: string;
  /** True: the broker keeps the session while we are disconnected. */
  persistent: boolean;
  log: Log;
  /** Further MQTT.js options, e.g. an incoming store. */
  client?: IClientOptions;
  /** Called once with the MQTT.js client before it connects. */
  prepare?: (client: MqttClient) => void;
  /**
   * Checked when the connection is lost, and again before a reconnect: while it returns false, no connection is made.
   * Absent: always true.
   */
  mayConnect?: (() => boolean) | undefined;
  /**
   * Checked when the connection is lost: whether a request of ours is unanswered. The broker may have ended the
   * connection because of it, so the close does not indicate a take-over.
   */
  isAsking?: (() => boolean) | undefined;
  /** Never connects, as if closed: for a process that needs no broker. */
  idle?: boolean | undefined;
  /** The version known to work, which saves the negotiation: some brokers never answer MQTT 5. */
  known?: (() => "5" | "3.1.1" | undefined) | undefined;
  /** Called after every CONNACK that accepts the connection. */
  onConnect?: (connack: IConnackPacket, protocol: ProtocolVersion) => void;
  onClose?: () => void;
}

/** Timeout for CONNACK while the broker's version is unknown; Mosca never answers MQTT 5. */
const NEGOTIATE_MS = 3_000;
const CONNECT_MS = 10_000;
const RECONNECT_MS = 500;
/** How long to leave the session to the client that took it over. */
const STAND_DOWN_MS = 60_000;
/**
 * On 3.1.1 a take-over looks like a plain close: this many closes in a row, each soon after CONNACK, count as one.
 * Closes with another explanation do not count: a reason in DISCONNECT, or an unanswered request that may be the cause.
 */
const TAKEN_OVER_CLOSES = 3;
const TAKEN_OVER_WITHIN_MS = 3_000;
const SESSION_EXPIRY_SECONDS = 7 * 24 * 3600;
/** Unacknowledged messages that the broker may have in flight to us: two flushes of 500. */
export const RECEIVE_MAXIMUM = 1_000;

const UNSUPPORTED_VERSION = new Set([1, 132]); // CONNACK return code of 3.1.1, reason code of 5
const SESSION_TAKEN_OVER = 142;

export class Connection {
  readonly client: MqttClient;
  #state: ConnectionState = "connecting";
  #lastError: string | undefined;
  readonly #negotiation: Negotiation;
  #waiting: NodeJS.Timeout | undefined;
  #connectedAt = 0;
  #quickCloses = 0;
  #disconnectReason: number | undefined;
  /** Outcome of the current attempt: CONNACK arrived, the transport failed, the version was refused. */
  #attempt = { answered: false, transportFailed: false, refusedVersion: false };

  constructor(private readonly options: ConnectionOptions) {
    const { broker } = options;
    this.#negotiation = new Negotiation(broker.protocol, options.known?.());
    this.client = connect(broker.url, {
      ...options.client,
      clientId: options.clientId,
      clean: !options.persistent,
      protocolVersion: this.#negotiation.version,
      properties: {
        receiveMaximum: RECEIVE_MAXIMUM,
        ...(options.persistent && { sessionExpiryInterval: SESSION_EXPIRY_SECONDS }),
      },
      username: broker.username,
      password: broker.password,
      ca: broker.ca,
      cert: broker.cert,
      key: broker.key,
      // MQTT.js passes this on to tls.connect.
      ...(broker.alpn !== undefined && { ALPNProtocols: [broker.alpn] }),
      keepalive: 30,
      connectTimeout: broker.protocol === "auto" ? NEGOTIATE_MS : CONNECT_MS,
      // Jitter, so that the connections of many instances do not reconnect at the same moment.
      reconnectPeriod: RECONNECT_MS + Math.floor(Math.random() * RECONNECT_MS),
      reconnectOnConnackError: true,
      resubscribe: false,
      queueQoSZero: false,
      manualConnect: true,
    });
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
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([this.client.endAsync(!wasConnected).catch(() => undefined), late]);
    clearTimeout(timer);
    if (!this.client.stream?.destroyed) this.client.stream?.destroy();
  }

  #listen(): void {
    const { client, options } = this;
    client.on("connect", (connack) => {
      this.#negotiation.accepted();
      const protocol = this.#negotiation.version;
      this.#connectedAt = Date.now();
      this.#lastError = undefined;
      this.#disconnectReason = undefined;
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
      if (packet.reasonCode === SESSION_TAKEN_OVER && this.#mayConnect) this.#stepBack();
    });
    // MQTT.js emits `connect` only after it has resent publishes in flight, and the broker may disconnect before that.
    client.on("packetreceive", ({ cmd }) => {
      if (cmd === "connack") this.#attempt.answered = true;
    });
    client.on("close", () => this.#closed());
    // A new attempt begins: reset the outcome of the last one.
    client.on("reconnect", () => {
      this.#attempt = { answered: false, transportFailed: false, refusedVersion: false };
    });
  }

  #failed(error: Error & { code?: number | string }): void {
    if (typeof error.code === "string") this.#attempt.transportFailed = true;
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
    const { log, name, persistent } = this.options;
    // On MQTT 5 as well: DISCONNECT may be lost in transit (Mosquitto 2.0 closes directly after it).
    const quick = Date.now() - this.#connectedAt < TAKEN_OVER_WITHIN_MS && persistent;
    if (!quick) this.#quickCloses = 0;
    else if (!this.#isExplained) this.#quickCloses++;
    log.warn({ connection: name, error: this.#lastError }, "mqtt_disconnected");
    this.options.onClose?.();
    if (this.#quickCloses >= TAKEN_OVER_CLOSES && this.#mayConnect) this.#stepBack();
    else this.#negotiation.lost();
  }

  get #isExplained(): boolean {
    if (this.#disconnectReason !== undefined) return this.#disconnectReason !== SESSION_TAKEN_OVER;
    return this.options.isAsking?.() ?? false;
  }

  #useVersion(): void {
    const { options } = this.client;
    const { version, proven } = this.#negotiation;
    if (options.protocolVersion === version) return;
    options.protocolVersion = version;
    if (!proven) options.connectTimeout = NEGOTIATE_MS;
    this.options.log.info({ connection: this.options.name, protocol: protocolName(version) }, "mqtt_protocol_tried");
  }

  #stepBack(): void {
    if (this.#state === "taken_over" || this.#state === "closed") return;
    this.#state = "taken_over";
    this.#quickCloses = 0;
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

export function protocolName(version: ProtocolVersion | 3 | undefined): "5" | "3.1.1" | undefined {
  return version === undefined ? undefined : version === 5 ? "5" : "3.1.1";
}
