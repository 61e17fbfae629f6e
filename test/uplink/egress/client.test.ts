import assert from "node:assert/strict";
import { generateKeyPairSync, sign as signBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { after, describe, it } from "node:test";
import { createSender, type SenderOptions } from "../../../src/uplink/egress/client.ts";
import type { Call } from "../../../src/uplink/egress/exchange.ts";
import { type AddressGuardOptions, createAddressGuard } from "../../../src/uplink/egress/ssrf-guard.ts";
import { scaled } from "../../support/speed.ts";

const cleanup: (() => unknown)[] = [];
after(async () => {
  for (const each of cleanup.reverse()) await each();
});

const loopback = ["127.0.0.0/8"];
type Resolve = NonNullable<AddressGuardOptions["resolve"]>;
/** Makes a resolver that returns these addresses for every name. */
const resolvingTo =
  (...addresses: string[]): Resolve =>
  (_hostname, _options, done) =>
    setImmediate(
      done,
      null,
      addresses.map((address) => ({ address, family: 4 })),
    );

function sender(options: Partial<SenderOptions> & Partial<AddressGuardOptions> = {}) {
  const { allow = loopback, resolve, ...rest } = options;
  const made = createSender({ guard: createAddressGuard({ allow, resolve }), ...rest });
  cleanup.push(() => made.close(0));
  return {
    ...made,
    post: (url: string, call: Partial<Call> = {}) =>
      made.send({ url, headers: {}, body: "{}", timeoutMs: 5_000, ...call }),
  };
}

async function listening(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  for (const event of ["connection", "secureConnection"]) server.on(event, (socket: Socket) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanup.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
const serve = async (handler: RequestListener) => `http://127.0.0.1:${await listening(createServer(handler))}`;
const serveRaw = async (handler: (socket: Socket) => void) => {
  const server = createTcpServer((socket) => {
    socket.on("error", () => {});
    handler(socket);
  });
  return `http://127.0.0.1:${await listening(server)}`;
};
/** Returns a TCP port without a listener. */
async function closedPort(): Promise<number> {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

const { post } = sender();

describe("send: a response", () => {
  it("with 2xx is returned with the start of its body, and the request arrives as given", async () => {
    let seen: unknown;
    const url = await serve((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        seen = [request.method, request.url, request.headers["x-a"], Buffer.concat(chunks).toString("hex")];
        response.writeHead(201).end("thanks");
      });
    });
    const result = await post(`${url}/hook?a=b`, { headers: { "x-a": "1" }, body: Buffer.from([0, 255]) });
    assert.deepEqual(seen, ["POST", "/hook?a=b", "1", "00ff"]);
    assert.ok(Number.isInteger(result.durationMs) && result.durationMs >= 0);
    assert.deepEqual({ ...result, durationMs: 0 }, { durationMs: 0, statusCode: 201, responseBody: "thanks" });
  });

  it("with 204 has no body", async () => {
    const url = await serve((_request, response) => response.writeHead(204).end());
    assert.deepEqual({ ...(await post(url)), durationMs: 0 }, { durationMs: 0, statusCode: 204 });
  });

  for (const statusCode of [400, 410, 500]) {
    it(`with ${statusCode} is an http_error`, async () => {
      const url = await serve((_request, response) => response.writeHead(statusCode).end("no"));
      const result = await post(url);
      assert.deepEqual([result.statusCode, result.error, result.responseBody], [statusCode, "http_error", "no"]);
    });
  }

  for (const statusCode of [301, 302, 303, 307, 308]) {
    it(`with ${statusCode} is not followed`, async () => {
      let calls = 0;
      const url = await serve((_request, response) => {
        calls++;
        response.writeHead(statusCode, { location: "/elsewhere" }).end();
      });
      const result = await post(url);
      assert.deepEqual([result.statusCode, result.error, calls], [statusCode, "redirect", 1]);
    });
  }

  it("has its Retry-After passed on", async () => {
    const url = await serve((_request, response) => response.writeHead(429, { "retry-after": "17" }).end());
    const result = await post(url);
    assert.deepEqual([result.statusCode, result.retryAfter], [429, "17"]);
  });

  it("is found after early hints", async () => {
    const url = await serve((_request, response) => {
      response.writeEarlyHints({ link: "</a>; rel=preload" });
      response.writeHead(200).end("ok");
    });
    assert.equal((await post(url)).statusCode, 200);
  });
});

describe("send: the body of a response", () => {
  it("is cut to 1 KiB of 100 KiB, and the next call works", async () => {
    const url = await serve((_request, response) => response.end("x".repeat(100 * 1_024)));
    for (let i = 0; i < 3; i++) {
      const { statusCode, responseBody, responseTruncated } = await post(url);
      assert.deepEqual([statusCode, responseBody, responseTruncated], [200, "x".repeat(1_024), true]);
    }
  });

  it("is drained up to 64 KiB, so that the connection is reused", async () => {
    const ports = new Set<number | undefined>();
    const url = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      response.end("x".repeat(60 * 1_024));
    });
    for (let i = 0; i < 10; i++) assert.equal((await post(url)).responseBody?.length, 1_024);
    assert.ok(ports.size <= 2, String(ports.size));
  });

  it("is kept up to a higher limit if the call sets one", async () => {
    const url = await serve((_request, response) => response.end("x".repeat(200_000)));
    assert.equal((await post(url, { maxResponseBytes: 150_000 })).responseBody?.length, 150_000);
    const whole = await post(url, { maxResponseBytes: 200_000 });
    assert.deepEqual([whole.responseBody?.length, whole.responseTruncated], [200_000, undefined]);
  });

  it("is not cut within a character and contains no U+0000", async () => {
    const url = await serve((_request, response) => response.end(`\u0000${"é".repeat(2_000)}`));
    assert.equal((await post(url)).responseBody, `\ufffd${"é".repeat(511)}`);
  });

  it("that never ends is cut off: when fast, after 64 KiB", async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200);
      const more = () => {
        while (!response.destroyed && response.write("x".repeat(10_000)));
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    });
    const result = await post(url);
    assert.deepEqual([result.statusCode, result.error, result.responseTruncated], [200, undefined, true]);
    assert.ok(result.durationMs < scaled(4_000));
  });

  it("that never ends is cut off: when slow, at the time-out; the status line counts", async () => {
    const url = await serve((request, response) => {
      response.writeHead(request.url === "/ok" ? 200 : 500);
      response.write("a");
    });
    const ok = await post(`${url}/ok`, { timeoutMs: 100 });
    assert.deepEqual([ok.statusCode, ok.error, ok.responseBody, ok.responseTruncated], [200, undefined, "a", true]);
    const no = await post(url, { timeoutMs: 100 });
    assert.deepEqual([no.statusCode, no.error], [500, "http_error"]);
  });

  it("that breaks off does not change the result either", async () => {
    const url = await serveRaw((socket) => {
      socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc"));
    });
    const result = await post(url);
    assert.deepEqual([result.statusCode, result.error, result.responseBody], [200, undefined, "abc"]);
  });
});

describe("send: no response", () => {
  it("timeout: headers that never arrive; the socket is closed", async () => {
    let closed: Promise<unknown> | undefined;
    const url = await serve((request) => {
      closed = once(request.socket, "close");
    });
    const result = await post(url, { timeoutMs: 100 });
    assert.equal(result.error, "timeout");
    assert.equal(result.statusCode, undefined);
    assert.ok(result.durationMs >= 95 && result.durationMs < scaled(1_000), String(result.durationMs));
    await closed;
  });

  it("timeout: also during DNS resolution", async () => {
    const { post } = sender({ resolve: () => {} });
    const result = await post("http://x.example/", { timeoutMs: 100 });
    assert.deepEqual([result.error, result.durationMs < scaled(1_000)], ["timeout", true]);
  });

  it("connect_timeout", async () => {
    const { post } = sender({ resolve: () => {}, connectTimeoutMs: 100 });
    assert.equal((await post("http://x.example/")).error, "connect_timeout");
  });

  it("connection_refused", async () => {
    const port = await closedPort();
    assert.equal((await post(`http://127.0.0.1:${port}/`)).error, "connection_refused");
    const { post: byName } = sender({ resolve: resolvingTo("127.0.0.1", "127.0.0.2") });
    assert.equal((await byName(`http://x.example:${port}/`)).error, "connection_refused");
  });

  it("connection_reset: by a reset, and by a close without a response", async () => {
    const resetting = await serveRaw((socket) => socket.once("data", () => socket.resetAndDestroy()));
    assert.equal((await post(resetting)).error, "connection_reset");
    const closing = await serveRaw((socket) => socket.once("data", () => socket.end()));
    assert.equal((await post(closing)).error, "connection_reset");
  });

  it("network_error: a response that is not HTTP, or with endless headers", async () => {
    const nonsense = await serveRaw((socket) => socket.once("data", () => socket.end("SSH-2.0-OpenSSH\r\n")));
    assert.equal((await post(nonsense)).error, "network_error");
    const long = await serveRaw((socket) => {
      socket.once("data", () => socket.write(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(20_000)}\r\n\r\n`));
    });
    assert.equal((await post(long)).error, "network_error");
  });

  it("dns_error", async () => {
    for (const code of ["ENOTFOUND", "EAI_AGAIN", "ENODATA"]) {
      const failure = Object.assign(new Error(code), { code });
      const { post } = sender({ resolve: (_name, _options, done) => setImmediate(done, failure, []) });
      assert.equal((await post("http://x.example/")).error, "dns_error", code);
    }
  });

  it("network_error: a request that cannot be sent at all", async () => {
    const url = await serve((_request, response) => response.end());
    for (const [name, value] of Object.entries({ "a b": "c", a: "\r\nb: c", expect: "100-continue" })) {
      assert.equal((await post(url, { headers: { [name]: value } })).error, "network_error");
    }
    for (const bad of ["", "x", "ftp://127.0.0.1/"]) assert.equal((await post(bad)).error, "network_error");
  });
});

describe("send: blocked addresses", () => {
  it("refuses IP literals in every notation without opening a socket", async () => {
    let connections = 0;
    const url = new URL(await serveRaw(() => connections++));
    const { post } = sender({ allow: [] });
    for (const host of ["127.0.0.1", "2130706433", "0x7f.1", "0177.1", "[::ffff:127.0.0.1]", "[::1]", "0"]) {
      const result = await post(`http://${host}:${url.port}/`);
      assert.equal(result.error, "blocked_address", host);
      assert.match(result.detail ?? "", /loopback|this host/);
    }
    assert.equal(connections, 0);
  });

  it("refuses names that resolve to them, and names the rule", async () => {
    let connections = 0;
    const { port } = new URL(await serveRaw(() => connections++));
    const { post } = sender({ allow: [], resolve: resolvingTo("127.0.0.1") });
    const result = await post(`http://innocent.example:${port}/`);
    assert.deepEqual(
      [result.error, result.detail],
      ["blocked_address", "innocent.example → 127.0.0.1: loopback 127.0.0.0/8, RFC 1122"],
    );
    assert.equal(connections, 0);
  });

  it("refuses localhost as the system resolves it", async () => {
    assert.equal((await sender({ allow: [] }).post("http://localhost:1/")).error, "blocked_address");
  });

  it("detects a name that changes its address (DNS rebinding)", async () => {
    const url = await serve((_request, response) => response.setHeader("connection", "close").end());
    const answers = ["127.0.0.1", "10.0.0.1", "127.0.0.1"];
    const { post } = sender({
      resolve: (name, options, done) => resolvingTo(answers.shift() ?? "")(name, options, done),
    });
    const results = [];
    for (let i = 0; i < 3; i++) results.push(await post(`http://x.example:${new URL(url).port}/`));
    assert.deepEqual(
      results.map(({ statusCode, error }) => statusCode ?? error),
      [200, "blocked_address", 200],
    );
  });

  it("connects to the allowed ones of several addresses", async () => {
    const url = await serve((_request, response) => response.end());
    const { post } = sender({ resolve: resolvingTo("10.255.255.1", "127.0.0.1") });
    assert.equal((await post(`http://x.example:${new URL(url).port}/`)).statusCode, 200);
  });
});

describe("send: TLS", () => {
  it("refuses a certificate of an unknown authority, and accepts a configured one", async () => {
    const { cert, key } = selfSigned();
    const server = createTlsServer({ cert, key }, (_request, response) => response.end("ok"));
    const url = `https://127.0.0.1:${await listening(server)}`;
    assert.equal((await post(url)).error, "tls_error");
    const { post: trusting } = sender({ tls: { ca: cert } });
    assert.equal((await trusting(url)).statusCode, 200);
    const { post: byName } = sender({ tls: { ca: cert }, resolve: resolvingTo("127.0.0.1") });
    assert.equal((await byName(`https://other.example:${new URL(url).port}`)).error, "tls_error");
  });

  it("refuses a port without TLS", async () => {
    const url = await serve((_request, response) => response.end());
    assert.equal((await post(url.replace("http:", "https:"))).error, "tls_error");
  });
});

describe("send: connections", () => {
  it("are kept and reused", async () => {
    const ports = new Set<number | undefined>();
    const url = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      response.end("ok");
    });
    for (let i = 0; i < 10; i++) await post(url);
    // Two and not one: undici returns a connection to its pool one turn of the event loop after the end of the
    // response.
    assert.ok(ports.size <= 2, String(ports.size));
  });

  it("one hanging receiver delays no other", async () => {
    let released = false;
    const held: IncomingMessage[] = [];
    const hanging = await serve((request) => {
      if (released) request.destroy();
      else held.push(request);
    });
    const healthy = await serve((_request, response) => response.end("ok"));
    const waiting = Array.from({ length: 300 }, () => post(hanging, { timeoutMs: scaled(30_000) }));
    const first = await Promise.race([post(healthy), ...waiting]);
    assert.equal(first.statusCode, 200);
    released = true;
    for (const request of held) request.destroy();
    const results = await Promise.all(waiting);
    assert.ok(
      results.every(({ error }) => error === "connection_reset"),
      JSON.stringify(results[0]),
    );
  });

  it("a call that timed out in the queue is never sent", async () => {
    let calls = 0;
    let connected = () => {};
    const { port } = new URL(
      await serve((_request, response) => {
        calls++;
        response.end();
      }),
    );
    const { post } = sender({
      resolve: (name, options, done) => {
        connected = () => resolvingTo("127.0.0.1")(name, options, done);
      },
    });
    assert.equal((await post(`http://x.example:${port}/`, { timeoutMs: 50 })).error, "timeout");
    connected();
    assert.equal((await post(`http://x.example:${port}/`)).statusCode, 200);
    assert.equal(calls, 1);
  });

  it("close lets a running call finish, then refuses new ones with a result", async () => {
    const made = sender();
    const url = await serve((_request, response) => setTimeout(() => response.end("ok"), 50));
    const running = made.post(url);
    const closed = made.close();
    assert.equal(made.close(), closed);
    assert.equal((await running).statusCode, 200);
    await closed;
    assert.equal((await made.post(url)).error, "network_error");
  });

  it("close aborts calls that do not finish in time", async () => {
    const made = sender();
    const running = made.post(await serve(() => {}));
    await made.close(50);
    assert.equal((await running).error, "network_error");
  });
});

/** Makes a self-signed certificate for 127.0.0.1, encoded in DER, so that neither OpenSSL nor a key file is needed. */
function selfSigned(): { cert: string; key: string } {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const der = (tag: number, ...parts: Buffer[]): Buffer => {
    const body = Buffer.concat(parts);
    const long = body.length > 127 ? [0x82, body.length >> 8, body.length & 0xff] : [body.length];
    return Buffer.concat([Buffer.from([tag, ...long]), body]);
  };
  const hex = (text: string) => Buffer.from(text, "hex");
  const ecdsaWithSha256 = der(0x30, der(0x06, hex("2a8648ce3d040302")));
  const name = der(0x30, der(0x31, der(0x30, der(0x06, hex("550403")), der(0x0c, Buffer.from("test")))));
  const validity = der(0x30, der(0x17, Buffer.from("200101000000Z")), der(0x17, Buffer.from("491231235959Z")));
  const subjectAltName = der(
    0x30,
    der(0x06, hex("551d11")),
    der(0x04, der(0x30, der(0x87, Buffer.from([127, 0, 0, 1])))),
  );
  const body = der(
    0x30,
    ...[der(0xa0, hex("020102")), hex("020101"), ecdsaWithSha256, name, validity, name],
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, der(0x30, subjectAltName)),
  );
  const signature = der(0x03, Buffer.from([0]), signBytes("sha256", body, privateKey));
  const base64 = der(0x30, body, ecdsaWithSha256, signature).toString("base64");
  const cert = `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`;
  return { cert, key: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
}
