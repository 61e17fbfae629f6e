/** A TCP proxy on a loopback port, for what happens between two programs: cut, silent, or late. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export interface Proxy {
  port: number;
  /** Milliseconds by which each chunk is late, in each direction. */
  delayMs: number;
  /** Passes nothing on, and keeps what comes: the peers see an open connection that is silent. */
  stall(): void;
  /** Passes on what was kept, and all that follows. */
  resume(): void;
  /** Ends every connection; new ones are accepted. */
  cut(): void;
  close(): Promise<void>;
}

/** In front of 127.0.0.1:`target`. */
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
