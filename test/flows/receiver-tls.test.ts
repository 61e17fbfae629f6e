/** Deliveries by the real process to a receiver with a private CA that requires a client certificate. */
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import type { TLSSocket } from "node:tls";
import { type Authority, makeAuthority, needsOpenssl } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { embedded, scenario } from "../support/scenario.ts";

describe("a receiver behind TLS", needsOpenssl, () => {
  const world = scenario(embedded, { device: false });
  let server: Server;
  let [ours, theirs]: Authority[] = [];
  const clients: string[] = [];
  const calls = new EventEmitter();

  before(async () => {
    [ours, theirs] = [makeAuthority("Ours"), makeAuthority("Theirs")];
    const options = { ...ours.issue("receiver"), ca: ours.cert, requestCert: true, rejectUnauthorized: true };
    server = createServer(options, (request, response) => {
      clients.push((request.socket as TLSSocket).getPeerCertificate().subject.CN as string);
      response.writeHead(204).end();
      calls.emit("call");
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  it("is called once its CA is trusted and the client certificate is one that it accepts", async () => {
    const [client, stranger] = [ours!.issue("bridge"), theirs!.issue("stranger")];
    const mtls = { type: "mtls", cert: client.cert, key: client.key };
    const { id } = await world.bridge.register({
      url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      topics: ["tls"],
      ca: theirs!.cert,
      auth: mtls,
      retry: { scheduleSeconds: Array(40).fill(0.2) },
    });
    const lastError = (wanted: RegExp) =>
      eventually(
        async () => (await world.bridge.api("GET", `/v1/webhooks/${id}/deliveries`)).body.items[0],
        (delivery) => wanted.test(delivery?.lastAttempt?.error ?? ""),
      );
    const patch = async (changes: object) => {
      const { status, body } = await world.bridge.api("PATCH", `/v1/webhooks/${id}`, changes);
      assert.equal(status, 200, JSON.stringify(body));
      return body;
    };
    await world.bridge.api("PUT", "/v1/topics/tls", "1", { "content-type": "text/plain" });
    await lastError(/^tls_error$/);

    await patch({ enabled: false });
    const shown = await patch({ ca: ours!.cert, auth: { ...mtls, cert: stranger.cert, key: stranger.key } });
    assert.deepEqual([shown.ca, shown.auth], [ours!.cert, { type: "mtls", cert: stranger.cert }]);
    await patch({ enabled: true });
    assert.deepEqual(clients, []);

    const called = once(calls, "call");
    await patch({ auth: mtls });
    await called;
    assert.deepEqual(clients, ["bridge"]);

    const plain = await world.bridge.api("PATCH", `/v1/webhooks/${id}`, { url: "http://127.0.0.1:1/" });
    assert.deepEqual(
      plain.body.errors.map(({ path }: { path: string }) => path),
      ["auth.type", "ca"],
    );
    const without = await patch({ ca: null, auth: null, url: "http://127.0.0.1:1/" });
    assert.deepEqual([without.ca, without.auth], [undefined, undefined]);
  });
});
