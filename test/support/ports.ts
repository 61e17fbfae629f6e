import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";

/** A loopback port that is free now. Another process may take it meanwhile: prefer port 0 where a program knows it. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
