/** Private authorities and client certificates, over real TLS. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createTlsServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import type { TLSSocket } from "node:tls";
import { trustOf } from "../../../src/uplink/egress/authorization.ts";
import { createSenders, type SendersOptions, type TlsCall } from "../../../src/uplink/egress/client-pool.ts";
import { createAddressGuard } from "../../../src/uplink/egress/ssrf-guard.ts";
import { type Authority, makeAuthority, needsOpenssl } from "../../support/certificates.ts";

describe("senders", needsOpenssl, () => {
  const cleanup: (() => unknown)[] = [];
  let ours: Authority;
  let theirs: Authority;
  before(() => {
    ours = makeAuthority("Ours");
    theirs = makeAuthority("Theirs");
  });
  after(async () => {
    for (const each of cleanup.reverse()) await each();
  });

  /** Starts a server that responds with the name in the client's certificate. */
  async function serve(options: { clients?: string } = {}): Promise<{ url: string; server: Server }> {
    const { cert, key } = ours.issue("server");
    const mutual = options.clients ? { ca: options.clients, requestCert: true, rejectUnauthorized: true } : {};
    const server = createTlsServer({ cert, key, ...mutual }, ({ socket }, response) => {
      const name = (socket as TLSSocket).getPeerCertificate()?.subject?.CN;
      response.end(String(name ?? "nobody"));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanup.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`, server };
  }

  function open(options: Partial<SendersOptions> = {}) {
    const senders = createSenders({ guard: createAddressGuard({ allow: ["127.0.0.0/8"] }), ...options });
    cleanup.push(() => senders.close(0));
    const post = (url: string, tls?: TlsCall["tls"]) =>
      senders.send({ url, headers: {}, body: "{}", timeoutMs: 5_000, ...(tls && { tls }) });
    return { senders, post };
  }

  it("trust a private CA only where it is configured", async () => {
    const { url } = await serve();
    const { senders, post } = open();
    assert.equal((await post(url)).error, "tls_error");
    assert.equal((await post(url, { ca: theirs.cert })).error, "tls_error");
    assert.equal((await post(url, { ca: ours.cert })).statusCode, 200);
    assert.equal((await post(url, { ca: theirs.cert + ours.cert })).statusCode, 200);
    // With shared connections or TLS sessions, these calls would now succeed.
    assert.equal((await post(url)).error, "tls_error");
    assert.equal((await post(url, { ca: theirs.cert })).error, "tls_error");
    assert.equal(senders.size, 3);
  });

  it("present each webhook's own certificate to a receiver that requires one", async () => {
    const { url } = await serve({ clients: ours.cert });
    const { post } = open();
    const [one, two, stranger] = [ours.issue("one"), ours.issue("two"), theirs.issue("stranger")];
    const identity = (of: { cert: string; key: string }) =>
      trustOf({ auth: { type: "mtls", cert: of.cert, key: of.key }, ca: ours.cert }).tls;
    const answers = await Promise.all([one, two, one, two].map((client) => post(url, identity(client))));
    assert.deepEqual(
      answers.map(({ responseBody }) => responseBody),
      ["one", "two", "one", "two"],
    );
    for (const refused of [await post(url, { ca: ours.cert }), await post(url, identity(stranger))]) {
      assert.equal(refused.statusCode, undefined);
      assert.match(refused.error!, /^(?:tls_error|connection_reset)$/);
      assert.doesNotMatch(refused.detail ?? "", /PRIVATE KEY/);
    }
  });

  it("do not exceed their maximum, and a call on an evicted one still completes", async () => {
    const { url, server } = await serve();
    const { senders, post } = open({ maxIdentities: 2 });
    server.removeAllListeners("request");
    const arrived = once(server, "request");
    const slow = post(url, { ca: ours.cert });
    const [, response] = await arrived;
    for (const name of ["A", "B", "C"]) await post(url, { ca: makeAuthority(name).cert });
    assert.equal(senders.size, 2);
    response.end("late");
    const { statusCode, responseBody } = await slow;
    assert.deepEqual([statusCode, responseBody], [200, "late"]);
  });

  it("close unused ones", async () => {
    const { url, server } = await serve();
    const { senders, post } = open({ idleMs: 1_000 });
    const connected = once(server, "secureConnection") as Promise<[TLSSocket]>;
    await post(url, { ca: ours.cert });
    assert.equal(senders.size, 1);
    const [socket] = await connected;
    await once(socket, "close");
    assert.equal(senders.size, 0);
    assert.equal((await post(url, { ca: ours.cert })).statusCode, 200, "and open it again");
  });

  it("are not multiplied by webhooks without certificates", async () => {
    const server = createServer((_request, response) => response.end()).listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanup.push(() => server.close());
    const { senders, post } = open();
    const { tls } = trustOf({ auth: { type: "bearer", token: "t" } });
    assert.equal((await post(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, tls)).statusCode, 200);
    assert.equal(senders.size, 0);
  });
});
