/** Receivers with harmful responses: each call ends with one clear outcome, and other webhooks keep working. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { connectAsync, type MqttClient } from "mqtt";
import { residentMegabytes } from "../support/attack.ts";
import { eventually } from "../support/eventually.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { embedded, type Setup } from "../support/setups.ts";

const TIMEOUT_MS = 1_000;
/** Timeout of calls that must get their response in time, even on a busy machine. */
const PLENTY_MS = 5_000;
const DAY_MS = 86_400_000;
const BOMB = gzipSync(Buffer.alloc(20 * 1024 * 1024));
const PLENTY = Buffer.alloc(64 * 1024, "a");

/** Writes the response once the head of the request has arrived. */
type Attack = (socket: Socket) => void;

interface Expected {
  outcome: "delivered" | "retryAt" | "throttled";
  status?: number;
  error?: string;
}

/** Writes until the connection closes. */
function endlessly(socket: Socket, bytes: Buffer | string): void {
  const more = () => {
    while (!socket.destroyed && socket.write(bytes));
  };
  socket.on("drain", more);
  more();
}

function slowly(socket: Socket, bytes: string): void {
  const timer = setInterval(() => socket.write(bytes), 20);
  socket.on("close", () => clearInterval(timer));
}

const chunked = (status: string) => `HTTP/1.1 ${status}\r\nTransfer-Encoding: chunked\r\n\r\n`;
const whole = (status: string, headers = "", body: Buffer | string = "") =>
  Buffer.concat([
    Buffer.from(`HTTP/1.1 ${status}\r\n${headers}Content-Length: ${body.length}\r\n\r\n`),
    Buffer.from(body),
  ]);

const ATTACKS: Record<string, [Attack, Expected]> = {
  "a body without an end": [
    (socket) => {
      socket.write(chunked("200 OK"));
      endlessly(socket, Buffer.concat([Buffer.from("10000\r\n"), PLENTY, Buffer.from("\r\n")]));
    },
    { outcome: "delivered", status: 200 },
  ],
  "an error without an end, of unknown length": [
    (socket) => {
      socket.write("HTTP/1.1 500 Oh\r\n\r\n");
      endlessly(socket, PLENTY);
    },
    { outcome: "retryAt", status: 500, error: "http_error" },
  ],
  "a body that comes slowly": [
    (socket) => {
      socket.write(chunked("500 Oh"));
      slowly(socket, "1\r\na\r\n");
    },
    { outcome: "retryAt", status: 500, error: "http_error" },
  ],
  "headers without an end": [
    (socket) => {
      socket.write("HTTP/1.1 200 OK\r\n");
      endlessly(socket, `A: ${"b".repeat(1_000)}\r\n`);
    },
    { outcome: "retryAt", error: "network_error" },
  ],
  "one header without an end": [
    (socket) => {
      socket.write("HTTP/1.1 200 OK\r\nA: ");
      endlessly(socket, PLENTY);
    },
    { outcome: "retryAt", error: "network_error" },
  ],
  "headers line by line": [
    (socket) => {
      socket.write("HTTP/1.1 200 OK\r\n");
      slowly(socket, "A: b\r\n");
    },
    { outcome: "retryAt", error: "timeout" },
  ],
  "interim answers without an end": [
    (socket) => endlessly(socket, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    { outcome: "retryAt", error: "timeout" },
  ],
  nothing: [() => {}, { outcome: "retryAt", error: "timeout" }],
  "another protocol": [
    (socket) => socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n"),
    { outcome: "retryAt", error: "connection_reset" },
  ],
  "no HTTP": [(socket) => socket.write("<html>hello\r\n\r\n"), { outcome: "retryAt", error: "network_error" }],
  "bad chunks": [
    (socket) => socket.write(`${chunked("200 OK")}zz\r\n`),
    { outcome: "delivered", status: 200 }, // the status line had arrived
  ],
  "two lengths": [
    (socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    { outcome: "retryAt", error: "network_error" },
  ],
  "more than it said": [
    (socket) => socket.write(Buffer.concat([whole("200 OK", "", "a"), PLENTY])),
    { outcome: "delivered", status: 200 },
  ],
  "a gzip bomb": [
    (socket) => socket.write(whole("500 Oh", "Content-Encoding: gzip\r\n", BOMB)),
    { outcome: "retryAt", status: 500, error: "http_error" },
  ],
  "a Retry-After of ages": [
    (socket) => socket.write(whole("503 Later", `Retry-After: ${"9".repeat(400)}\r\n`)),
    { outcome: "throttled", status: 503, error: "http_error" },
  ],
  "a redirect to where nobody may go": [
    (socket) => socket.write(whole("307 There", "Location: http://169.254.169.254/latest\r\n")),
    { outcome: "retryAt", status: 307, error: "redirect" },
  ],
  "an end in the middle of the headers": [
    (socket) => socket.end("HTTP/1.1 200 OK\r\nA: "),
    { outcome: "retryAt", error: "connection_reset" },
  ],
  "an end in the middle of the body": [
    (socket) => socket.end("HTTP/1.1 500 Oh\r\nContent-Length: 10\r\n\r\nabc"),
    { outcome: "retryAt", status: 500, error: "http_error" },
  ],
  "a reset": [(socket) => socket.resetAndDestroy(), { outcome: "retryAt", error: "connection_reset" }],
  "line breaks in its reason": [
    (socket) => socket.write(whole('500 a\x0b{"level":60}')),
    { outcome: "retryAt", status: 500, error: "http_error" },
  ],
};

describe("harmful responses", () => {
  let setup: Setup;
  let device: MqttClient;
  let server: Server;
  let healthy: Receiver;
  const sockets = new Set<Socket>();

  before(async () => {
    setup = await embedded.start({ LOG_LEVEL: "info" });
    device = await connectAsync(setup.brokerUrl);
    healthy = await startReceiver();
    const attacks = Object.values(ATTACKS);
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {}).on("close", () => sockets.delete(socket));
      // Ignores the rest of the request, and matches each new request of a reused connection.
      let tail = "";
      socket.on("data", (chunk) => {
        const text = tail + chunk.toString("latin1");
        const head = /POST \/(\d+) HTTP/.exec(text);
        tail = head ? "" : text.slice(-30);
        if (!head) return;
        socket.pause();
        attacks[Number(head[1])]![0](socket);
        socket.resume();
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await device.endAsync(true);
    await healthy.close();
    await setup.close();
  });

  it("end each attempt with one clear outcome and do not affect other webhooks", async (t) => {
    const { bridge } = setup;
    const { port } = server.address() as AddressInfo;
    await bridge.register({ url: healthy.url, topics: ["attack/#"] });
    const names = Object.keys(ATTACKS);
    const ids: string[] = [];
    for (const [i, [, { error }]] of Object.values(ATTACKS).entries()) {
      const { status, body } = await bridge.api("POST", "/v1/webhooks", {
        url: `http://127.0.0.1:${port}/${i}`,
        topics: [`attack/${i}`],
        timeoutMs: error === "timeout" ? TIMEOUT_MS : PLENTY_MS,
        retry: { scheduleSeconds: [3_600] },
      });
      assert.equal(status, 201, JSON.stringify(body));
      ids.push(body.id);
    }
    await bridge.readiness(200);
    const before = residentMegabytes(bridge.pid);
    const payload = Buffer.alloc(200_000, "p");
    for (const i of names.keys()) await device.publishAsync(`attack/${i}`, payload, { qos: 1 });
    await healthy.untilCalled(names.length, 15_000);

    for (const [i, name] of names.entries()) {
      const [line] = await bridge.waitForOutput(
        new RegExp(`^.*"webhook_id":"${ids[i]}".*"delivery_attempted".*$`, "m"),
      );
      const { outcome, status, error, next_in_ms, detail, duration_ms } = JSON.parse(line);
      t.diagnostic(`${name}: ${[outcome, status, error, detail, duration_ms].join(", ")}`);
      const expected = { status: undefined, error: undefined, ...ATTACKS[name]![1] };
      assert.deepEqual({ outcome, status, error }, expected, name);
      assert.ok(next_in_ms === undefined || next_in_ms <= DAY_MS, name);
      assert.ok(line.length < 1_000, line);
    }
    const grown = residentMegabytes(bridge.pid) - before;
    t.diagnostic(`grown by ${Math.round(grown)} MB`);
    assert.ok(grown < 120, `grown by ${grown} MB`);
    assert.equal((await bridge.api("GET", "/readyz")).status, 200);
  });

  it("leave only reusable connections open", async () => {
    await eventually(
      () => sockets.size,
      (size) => size <= 4,
    );
  });

  it("fail a batch of two, even when they name a hundred thousand events as failed", async () => {
    const failing = await startReceiver();
    const failed = Array.from({ length: 100_000 }, (_, i) => `msg_${i}`);
    failing.answer = () => ({ status: 200, body: JSON.stringify({ failed }) });
    const batch = { maxSize: 2, maxWaitMs: 5_000 };
    const hook = { url: failing.url, topics: ["batch"], batch, retry: { scheduleSeconds: [1] } };
    const { id } = await setup.bridge.register(hook);
    for (let i = 0; i < 2; i++) await device.publishAsync("batch", `${i}`, { qos: 1 });
    const pattern = new RegExp(`^.*"webhook_id":"${id}".*"delivery_attempted".*$`, "m");
    const { outcome, error } = JSON.parse((await setup.bridge.waitForOutput(pattern))[0]);
    assert.deepEqual([outcome, error], ["retryAt", "not_accepted"]);
    failing.answer = () => 204;
    await failing.untilCalled(2);
    const ids = failing.attempts.map(({ body }) =>
      JSON.parse(body.toString()).map((event: { id: string }) => event.id),
    );
    assert.deepEqual(ids[1].sort(), ids[0].sort());
    await failing.close();
  });
});
