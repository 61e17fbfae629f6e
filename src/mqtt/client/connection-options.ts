/** Options of a {@link Connection}, and the MQTT.js options that follow from them. */
import type { IClientOptions, IConnackPacket, MqttClient } from "mqtt";
import type { ProtocolVersion } from "./negotiation.ts";

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
export const NEGOTIATE_MS = 3_000;
export const CONNECT_MS = 10_000;
export const RECONNECT_MS = 500;
const SESSION_EXPIRY_SECONDS = 7 * 24 * 3600;
/** Unacknowledged messages that the broker may have in flight to us: two flushes of 500. */
export const RECEIVE_MAXIMUM = 1_000;
/**
 * Unacknowledged QoS 2 messages after which MQTT.js ends the connection (MQTT 5 section 3.3.4). More than we announce:
 * Mosquitto sends a few too many when it resumes a session, and would do so again on each new connection.
 */
export const TOLERATED_MESSAGES = 2 * RECEIVE_MAXIMUM;

export function clientOptions(options: ConnectionOptions, version: ProtocolVersion): IClientOptions {
  const { broker } = options;
  return {
    ...options.client,
    // The cache holds a buffer for each of the 65,536 packet identifiers: 8 MB, and 25 ms at the start.
    writeCache: false,
    clientId: options.clientId,
    clean: !options.persistent,
    protocolVersion: version,
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
  };
}
