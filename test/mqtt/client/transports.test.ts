/** The same connection over TLS with certificates, over WebSockets, and over both. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttp, type Server } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { createServer as createTls } from "node:tls";
import { Aedes } from "aedes";
import { createWebSocketStream, WebSocketServer } from "ws";
import { eventually } from "../../support/eventually.ts";
import { startMosquitto } from "../../support/mosquitto.ts";
import { requireOrSkip } from "../../support/requirements.ts";
import { connected, next, openConnection } from "../support.ts";

const dir = mkdtempSync(join(tmpdir(), "causeway-tls-"));
const file = (name: string) => join(dir, name);
const pem = (name: string) => readFileSync(file(name), "utf8");

/** Makes a certificate authority with a server and a client certificate. */
function makeCertificates(): void {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: dir, stdio: "ignore" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "1", "-subj", "/CN=Test CA");
  for (const [name, subject] of [
    ["server", "/CN=localhost"],
    ["client", "/CN=bridge"],
  ] as const) {
    const names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    openssl("req", ...key, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", subject, ...names);
    const signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1", "-copy_extensions", "copy"];
    openssl("x509", "-req", "-in", `${name}.csr`, "-out", `${name}.pem`, ...signing);
  }
}

const ours = () => ({ ca: pem("ca.pem"), cert: pem("client.pem"), key: pem("client.key") });

describe("transports", requireOrSkip("openssl"), () => {
  before(makeCertificates);
  after(() => rmSync(dir, { recursive: true, force: true }));

  describe("TLS", requireOrSkip("mosquitto"), () => {
    async function secureMosquitto(t: TestContext) {
      const mosquitto = await startMosquitto({
        extraConfig: `cafile ${file("ca.pem")}\ncertfile ${file("server.pem")}\nkeyfile ${file("server.key")}
require_certificate true\nuse_identity_as_username true`,
      });
      t.after(() => mosquitto.stop());
      return { mosquitto, url: `mqtts://127.0.0.1:${mosquitto.port}` };
    }

    it("connects with the CA and a client certificate", async (t) => {
      const { mosquitto, url } = await secureMosquitto(t);
      const connection = openConnection(t, { broker: { url, ...ours() } });
      await connected(connection);
      assert.equal(connection.protocol, 5);
      await mosquitto.waitForLog(/New client connected .* u'bridge'/);
    });

    it("reports a missing CA or certificate, and does not fall back to another version", async (t) => {
      const { url } = await secureMosquitto(t);
      const { ca, cert, key } = ours();
      const unknown = openConnection(t, { broker: { url, cert, key } });
      await eventually(() => unknown.lastError !== undefined, "a reason is given");
      assert.match(unknown.lastError!, /certificate/);
      const anonymous = openConnection(t, { broker: { url, ca } });
      await eventually(() => anonymous.lastError !== undefined, "a reason is given");
      assert.match(anonymous.lastError!, /certificate|handshake/i);
      assert.equal(anonymous.client.options.protocolVersion, 5);
    });
  });

  it("TLS names the configured protocol in its handshake, for a port shared with HTTPS", async (t) => {
    const broker = await Aedes.createBroker();
    // Accepts MQTT by that name only, as AWS IoT Core does on port 443.
    const tls = { ca: pem("ca.pem"), cert: pem("server.pem"), key: pem("server.key"), requestCert: true };
    const server = createTls({ ...tls, ALPNProtocols: ["http/1.1", "x-amzn-mqtt-ca"] }, (socket) => {
      if (socket.alpnProtocol === "x-amzn-mqtt-ca") broker.handle(socket);
      else socket.destroy();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(async () => {
      server.close();
      await new Promise<void>((resolve) => broker.close(resolve));
    });
    const url = `mqtts://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const unnamed = openConnection(t, { broker: { url, ...ours() } });
    await next(unnamed, "close");
    assert.equal(unnamed.connected, false);
    const other = openConnection(t, { broker: { url, ...ours(), alpn: "mqtt" } });
    await eventually(() => other.lastError !== undefined, "a reason is given");
    assert.match(other.lastError!, /no application protocol/i);
    const named = openConnection(t, { broker: { url, ...ours(), alpn: "x-amzn-mqtt-ca" } });
    await connected(named);
    await named.client.publishAsync("t", "x", { qos: 1 });
  });

  describe("WebSockets", () => {
    /** Aedes behind `ws`: Debian's Mosquitto is built without WebSockets. */
    async function webSocketBroker(t: TestContext, server: Server): Promise<number> {
      const broker = await Aedes.createBroker();
      const sockets = new WebSocketServer({ server, handleProtocols: (protocols) => protocols.has("mqtt") && "mqtt" });
      sockets.on("connection", (socket) => broker.handle(createWebSocketStream(socket) as never));
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      t.after(async () => {
        for (const socket of sockets.clients) socket.terminate();
        server.close();
        await new Promise<void>((resolve) => broker.close(resolve));
      });
      return (server.address() as AddressInfo).port;
    }

    it("ws connects and falls back to 3.1.1 on the way", async (t) => {
      const port = await webSocketBroker(t, createHttp());
      const connection = openConnection(t, { broker: { url: `ws://127.0.0.1:${port}/mqtt` } });
      await connected(connection);
      assert.equal(connection.protocol, 4);
    });

    it("wss connects with the CA and a client certificate", async (t) => {
      const server = createHttps({
        ca: pem("ca.pem"),
        cert: pem("server.pem"),
        key: pem("server.key"),
        requestCert: true,
        rejectUnauthorized: true,
      });
      const port = await webSocketBroker(t, server);
      const connection = openConnection(t, { broker: { url: `wss://127.0.0.1:${port}/mqtt`, ...ours() } });
      await connected(connection);
      await connection.client.publishAsync("t", "x", { qos: 1 });
    });
  });
});
