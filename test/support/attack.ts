/** Tools for attack tests: raw sockets, hand-made MQTT packets, and measurements of the bridge process. */
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import type { TestBridge } from "./bridge.ts";
import { scaled } from "./speed.ts";

/** A connection on which the test writes raw bytes. */
export interface RawSocket {
  readonly socket: Socket;
  /** All received data, as Latin-1. */
  readonly received: string;
  /** Resolves when the peer has closed the connection. */
  readonly closed: Promise<void>;
  /** Resolves when the text has been received, as Latin-1. */
  until(text: string, timeoutMs?: number): Promise<void>;
  /** Writes, and waits until there is room for more. Resolves with false if the connection has ended. */
  push(bytes: Buffer | string): Promise<boolean>;
}

export function openSocket(port: number): RawSocket {
  const socket = connect(port, "127.0.0.1");
  let received = "";
  let look = () => {};
  socket.on("error", () => {}); // the peer may reset the connection
  socket.on("data", (bytes) => {
    received += bytes.toString("latin1");
    look();
  });
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  return {
    socket,
    get received() {
      return received;
    },
    closed,
    until: (text, timeoutMs = 10_000) =>
      new Promise((resolve, reject) => {
        const fail = (why: string) =>
          reject(new Error(`${why} before ${JSON.stringify(text)}: ${received.slice(0, 500)}`));
        const timer = setTimeout(() => fail(`${scaled(timeoutMs)} ms went by`), scaled(timeoutMs));
        look = () => {
          if (!received.includes(text)) return;
          clearTimeout(timer);
          resolve();
        };
        look();
        void closed.then(() => {
          clearTimeout(timer);
          fail("the connection ended");
        });
      }),
    async push(bytes) {
      if (socket.destroyed) return false;
      if (!socket.write(bytes)) await Promise.race([new Promise((done) => socket.once("drain", done)), closed]);
      return !socket.destroyed;
    },
  };
}

/** Resolves when `count` of the sockets are closed; rejects with the number of open ones after the timeout. */
export async function untilClosed(sockets: RawSocket[], timeoutMs: number, count = sockets.length): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let closed = 0;
  const enough = new Promise<void>((resolve) => {
    for (const socket of sockets) void socket.closed.then(() => ++closed === count && resolve());
    if (count === 0) resolve();
  });
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const open = sockets.filter(({ socket }) => !socket.destroyed).length;
      reject(new Error(`${open} of ${sockets.length} connections are still open after ${scaled(timeoutMs)} ms`));
    }, scaled(timeoutMs));
  });
  await Promise.race([enough, late]).finally(() => clearTimeout(timer));
}

/** Returns the resident memory of a process in megabytes. */
export function residentMegabytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024;
}

/** Returns the time series of `/metrics` by name and labels. */
export async function metricSeries(bridge: TestBridge): Promise<Map<string, number>> {
  const { bytes } = await bridge.api("GET", "/metrics");
  const lines = bytes.toString().split("\n");
  return new Map(
    lines.flatMap((line) => {
      const match = /^([a-z]\S*(?: \S+="[^"]*")*) (\S+)$/.exec(line);
      return match ? [[match[1]!, Number(match[2])]] : [];
    }),
  );
}

/** Accepting responses to a CONNECT, and to a SUBSCRIBE with packet identifier 1 and QoS 0. */
export const [CONNACK, SUBACK] = ["\x20\x02\0\0", "\x90\x03\0\x01\0"];

/** Returns an MQTT 3.1.1 CONNECT with a clean session and no keep-alive. */
export function connectPacket(clientId: string): Buffer {
  const id = Buffer.from(clientId);
  const rest = Buffer.concat([Buffer.from([0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, id.length]), id]);
  return Buffer.concat([Buffer.from([0x10, rest.length]), rest]);
}

/** Returns a SUBSCRIBE to a short filter. */
export function subscribePacket(filter: string, qos: number): Buffer {
  return Buffer.from([0x82, filter.length + 5, 0, 1, 0, filter.length, ...Buffer.from(filter), qos]);
}
