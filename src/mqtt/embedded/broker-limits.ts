/**
 * Limits on what one client may cost the embedded broker. Aedes alone would buffer a packet of 256 MiB from a client
 * before its CONNECT, and makes all clients wait up to a minute for a subscriber that does not read.
 */
import type { Socket } from "node:net";
import type { Aedes, Client } from "aedes";

/** Allowance for the topic and the other fields of a PUBLISH, with a reserve. */
const MORE_THAN_PAYLOAD = 128 * 1_024;
/** Payload limit between devices if the bridge's limit is lower. */
const LEAST_MAX_PAYLOAD = 1_024 * 1_024;
/**
 * CONNECT: five fields of at most 65,535 bytes each with their lengths, and the fixed part (MQTT 3.1.1 section 3.1).
 */
const MAX_CONNECT_BYTES = 5 * 65_537 + 10;
/** Concurrent connections; further ones are closed. */
export const MAX_CONNECTIONS = 10_000;
/** Concurrent connections that have not sent CONNECT; a further one closes the oldest of them. */
const MAX_STRANGERS = 1_000;
/** Time from the connection to its CONNECT. */
export const CONNECT_MS = 10_000;
/** How long a subscriber may leave sent data unread; all other clients wait meanwhile. */
export const UNREAD_MS = 2_000;

interface Internals {
  _parser: { parse(bytes: Buffer): number; packet: { length: number } };
  connecting: boolean;
  waitForDrain(done: () => void): void;
  conn: Socket;
}

/** @returns the maximum size in bytes of a packet that a client may send */
export function maxPacketBytes(maxPayloadBytes: number): number {
  return Math.max(maxPayloadBytes, LEAST_MAX_PAYLOAD) + MORE_THAN_PAYLOAD;
}

/** Ends a connection as soon as a packet's length exceeds the limit, before its bytes are buffered. */
function limitPackets(client: Client, maxBytes: number): void {
  const internals = client as unknown as Internals;
  const parser = internals._parser;
  const parse = parser.parse.bind(parser);
  parser.parse = (bytes) => {
    const left = parse(bytes);
    const max = internals.connecting || client.connected ? maxBytes : MAX_CONNECT_BYTES;
    if (parser.packet.length > max) client.emit("error", new Error(`a packet of more than ${max} bytes`) as never);
    return left;
  };
}

/**
 * Ends the connection of a client that names a topic with U+0000 [MQTT-1.5.3-2]: the binding of SQLite ends a text there
 * when it reads it, so the message would be found under another topic.
 */
export function refuseNull(aedes: Aedes): void {
  const refusal = (topic: string) => (topic.includes("\0") ? new Error("a topic with U+0000") : undefined);
  const [publish, subscribe] = [aedes.authorizePublish.bind(aedes), aedes.authorizeSubscribe.bind(aedes)];
  aedes.authorizePublish = (client, packet, done) => {
    const error = refusal(packet.topic);
    if (error) done(error);
    else publish(client, packet, done);
  };
  aedes.authorizeSubscribe = (client, subscription, done) => {
    const error = refusal(subscription.topic);
    if (error) done(error);
    else subscribe(client, subscription, done);
  };
}

/** Exempts the bridge from the drain timeout: it reads as fast as its store accepts, and publishers must wait. */
export function waitFor(client: Client): void {
  const { conn } = client as unknown as Internals;
  (client as unknown as Internals).waitForDrain = (done) => void conn.once("drain", done);
}

/** Connections that have not sent CONNECT. Many of them must not keep a device out. */
export class Strangers {
  readonly #sockets = new Set<Socket>();

  add(socket: Socket): void {
    for (const oldest of this.#sockets) {
      if (this.#sockets.size < MAX_STRANGERS) break;
      this.#sockets.delete(oldest);
      oldest.destroy();
    }
    this.#sockets.add(socket);
  }

  delete(socket: Socket): void {
    this.#sockets.delete(socket);
  }
}

/** Hands a connection to Aedes, within the limits. */
export function handleWithin(aedes: Aedes, socket: Socket, strangers: Strangers, maxBytes: number): void {
  strangers.add(socket);
  socket.on("close", () => strangers.delete(socket));
  limitPackets(aedes.handle(socket), maxBytes);
}
