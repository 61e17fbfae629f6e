/** Notices every TCP connection that this process tries to open, at the last step before the operating system. */
import { once } from "node:events";
import { createServer } from "node:net";
import { constants } from "node:os";

export interface ConnectionTap {
  /** Address → how often a connection to it was tried. */
  readonly attempts: ReadonlyMap<string, number>;
  clear(): void;
  close(): void;
}

type Connect = (request: unknown, address: string, port: number) => number;
type Handle = Record<"connect" | "connect6", Connect>;

/**
 * Beyond loopback nothing is let out: there an attempt is counted and then refused (ECONNREFUSED).
 * What it wraps is private to Node, which is what makes it see TLS, several addresses tried, and all libraries alike.
 */
export async function tapConnections(): Promise<ConnectionTap> {
  const attempts = new Map<string, number>();
  const prototype = await handlePrototype();
  const { connect, connect6 } = prototype;
  const tapped = (original: Connect): Connect =>
    function (this: Handle, request, address, port) {
      attempts.set(address, (attempts.get(address) ?? 0) + 1);
      const local = /^127\.|^::1$|^::ffff:127\./.test(address);
      return local ? original.call(this, request, address, port) : -constants.errno.ECONNREFUSED;
    };
  Object.assign(prototype, { connect: tapped(connect), connect6: tapped(connect6) });
  return { attempts, clear: () => attempts.clear(), close: () => void Object.assign(prototype, { connect, connect6 }) };
}

async function handlePrototype(): Promise<Handle> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const prototype = Object.getPrototypeOf((server as unknown as { _handle: Handle })._handle);
  server.close();
  if (typeof prototype.connect !== "function" || typeof prototype.connect6 !== "function") {
    throw new Error("this version of Node opens connections in another way: the tap would notice none");
  }
  return prototype;
}
