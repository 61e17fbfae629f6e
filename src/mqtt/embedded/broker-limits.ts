/**
 * What one client may cost the embedded broker. Aedes would collect a packet of 256 MiB from a client that has not even
 * said who it is, and lets everybody wait up to a minute for a subscriber that does not read.
 */
import type { Socket } from "node:net";
import type { Aedes, Client } from "aedes";

/** A topic, the other fields of a PUBLISH, and some room. */
const MORE_THAN_PAYLOAD = 128 * 1_024;
/** The longest payload between devices, where that of the bridge is shorter. */
const LEAST_MAX_PAYLOAD = 1_024 * 1_024;
/** CONNECT: five fields of at most 65,535 bytes each with their lengths, and the fixed part (MQTT 3.1.1 section 3.1). */
const MAX_CONNECT_BYTES = 5 * 65_537 + 10;
/** Connections at once; more are closed. */
export const MAX_CONNECTIONS = 10_000;
/** Of them, those that have not sent CONNECT: one more and the oldest of them is closed. */
const MAX_STRANGERS = 1_000;
/** From the connection to its CONNECT. */
export const CONNECT_MS = 10_000;
/** A subscriber may leave what is sent to it unread for so long; all others wait meanwhile. */
export const UNREAD_MS = 2_000;

interface Internals {
  _parser: { parse(bytes: Buffer): number; packet: { length: number } };
  connecting: boolean;
  waitForDrain(done: () => void): void;
  conn: Socket;
}

/** @returns bytes of the longest packet that a client may send */
export function maxPacketBytes(maxPayloadBytes: number): number {
  return Math.max(maxPayloadBytes, LEAST_MAX_PAYLOAD) + MORE_THAN_PAYLOAD;
}

/** Ends a connection as soon as the length of a packet is known to be too much, before its bytes are collected. */
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

/** The bridge reads as fast as its store takes messages, and meanwhile those who publish are to wait. */
export function waitFor(client: Client): void {
  const { conn } = client as unknown as Internals;
  (client as unknown as Internals).waitForDrain = (done) => void conn.once("drain", done);
}

/** Connections that have not said who they are. Many of them must not keep a device out. */
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

/** Takes a connection as Aedes does, within the limits. */
export function handleWithin(aedes: Aedes, socket: Socket, strangers: Strangers, maxBytes: number): void {
  strangers.add(socket);
  socket.on("close", () => strangers.delete(socket));
  limitPackets(aedes.handle(socket), maxBytes);
}
