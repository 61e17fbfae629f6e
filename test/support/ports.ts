import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/**
 * Returns a loopback port that is free now, and that no other test gets until this process has ended: a server that
 * is stopped can start again on it. A UDP socket with the same number, which concerns no server, marks it. Another
 * program may take it: prefer port 0 where a program supports it.
 *
 * The port is below the system's range for outgoing connections (32768 and up): otherwise one of a test's many
 * connections could get the port of a stopped server and hold it.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const mark = createSocket("udp4");
    const server = createServer();
    try {
      await once(mark.bind(port, "127.0.0.1"), "listening");
      await once(server.listen(port, "127.0.0.1"), "listening");
    } catch {
      mark.close();
      continue; // The port is taken.
    }
    server.close();
    await once(server, "close");
    mark.unref();
    return port;
  }
}

/** Resolves once a server listens on the loopback port; gives up after about 2 s. */
export async function acceptsConnections(port: number): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return;
    } catch (error) {
      if (attempt === 100) throw error;
      await delay(20);
    } finally {
      socket.destroy();
    }
  }
}
