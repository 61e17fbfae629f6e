/** A TCP proxy on a loopback port that cuts, stalls or delays connections between two programs. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export interface Proxy {
  port: number;
  /** Delay of each chunk in milliseconds, in both directions. */
  delayMs: number;
  /** Stops reading on both sides: the peers keep an open but silent connection. */
  stall(): void;
  /** Passes on the waiting data and all that follows. */
  resume(): void;
  /** Closes every connection; new ones are accepted. */
  cut(): void;
  close(): Promise<void>;
}

/** Starts a proxy in front of 127.0.0.1:`target`. */
export async function startProxy(target: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let stalled = false;
  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      if (stalled) from.pause();
      let line = Promise.resolve(); // chunks stay in order when the delay changes
      from.on("data", (chunk) => {
        const late = proxy.delayMs > 0 ? delay(proxy.delayMs) : undefined;
        line = line.then(() => late).then(() => void to.write(chunk));
      });
      from.on("error", () => {}); // "close" follows
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const proxy: Proxy = {
    port: (server.address() as AddressInfo).port,
    delayMs: 0,
    stall() {
      stalled = true;
      for (const socket of sockets) socket.pause();
    },
    resume() {
      stalled = false;
      for (const socket of sockets) socket.resume();
    },
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    close: async () => {
      server.close();
      proxy.cut();
      if (server.listening) await once(server, "close");
    },
  };
  return proxy;
}
