/** Counts every TCP connection attempt of this process, at the last step before the operating system. */
import { once } from "node:events";
import { createServer } from "node:net";
import { constants } from "node:os";

export interface ConnectionTap {
  /** Address → number of connection attempts. */
  readonly attempts: ReadonlyMap<string, number>;
  clear(): void;
  close(): void;
}

type Connect = (request: unknown, address: string, port: number) => number;
type Handle = Record<"connect" | "connect6", Connect>;

/**
 * Refuses connections beyond loopback (ECONNREFUSED) after counting the attempt.
 * Wraps a private function of Node, so that it covers TLS, attempts at several addresses, and all libraries.
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
