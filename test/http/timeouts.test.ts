/** Slow clients and many clients: the others are still served. The timeouts are short. */
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { HTTP_TIMEOUTS } from "../../src/http/timeouts.ts";
import { openSocket, type RawSocket, untilClosed } from "../support/attack.ts";
import { eventually } from "../support/eventually.ts";
import { scaled } from "../support/speed.ts";
import { KEY, type TestApp, testApp } from "./support.ts";

const limits = { headersMs: 600, bodyMs: 1_500, silenceMs: 1_000, answeredMs: 500, maxConnections: 300, checkMs: 50 };
const HEAD = `Host: a\r\nAuthorization: Bearer ${KEY}\r\n`;
const POST = `POST /v1/messages HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\n`;
const LINES = `POST /v1/messages/batch HTTP/1.1\r\n${HEAD}Content-Type: application/x-ndjson\r\n`;

describe("slow clients", () => {
  let app: TestApp["app"];
  let port: number;

  before(async () => {
    ({ app } = await testApp(
      {
        async publishBatch({ body }, reply) {
          for await (const _ of body as unknown as AsyncIterable<Buffer>);
          return reply.code(200).send("done") as never;
        },
      },
      { timeouts: limits },
    ));
    await app.listen({ host: "127.0.0.1", port: 0 });
    port = (app.server.address() as AddressInfo).port;
  });
  after(() => app.close());

  /** Writes a byte from time to time until the connection ends; returns the elapsed time. */
  async function drip({ socket, closed }: RawSocket, byte: string): Promise<number> {
    const startedAt = performance.now();
    const timer = setInterval(() => socket.write(byte), 50);
    await closed.finally(() => clearInterval(timer));
    return performance.now() - startedAt;
  }

  function assertAbout(took: number, ms: number): void {
    assert.ok(took > ms * 0.7 && took < ms + scaled(3_000), `${took} ms instead of ${ms}`);
  }

  it("have a time limit for their headers, and get a response about it", async () => {
    const slow = openSocket(port);
    slow.socket.write("GET /healthz HTTP/1.1\r\nX: ");
    assertAbout(await drip(slow, "a"), limits.headersMs);
    assert.match(slow.received, /^HTTP\/1.1 408 .*"code":"slow_request"/s);
  });

  it("have a time limit for the first byte", async () => {
    const silent = openSocket(port);
    await untilClosed([silent], limits.headersMs + 3_000);
  });

  it("have a time limit for a body, with or without its length", async () => {
    for (const head of ["Content-Length: 900\r\n\r\n ", "Transfer-Encoding: chunked\r\n\r\n380\r\n"]) {
      const slow = openSocket(port);
      slow.socket.write(POST + head);
      assertAbout(await drip(slow, " "), limits.bodyMs);
      assert.match(slow.received, /^HTTP\/1.1 408 .*"code":"slow_request"/s);
    }
  });

  it("cannot go on with a refused body", async () => {
    const refused = openSocket(port);
    refused.socket.write("POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n ");
    assertAbout(await drip(refused, " "), limits.answeredMs);
    assert.match(refused.received, /^HTTP\/1.1 401 /);
  });

  it("may take their time over a stream of lines, but must not be silent", async () => {
    const stream = openSocket(port);
    stream.socket.write(`${LINES}Content-Length: 60\r\n\r\n`);
    for (let i = 0; i < 60; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      stream.socket.write("\n"); // for twice the time limit of another body
    }
    await stream.until("done");
    assert.match(stream.received, /^HTTP\/1.1 200 /);
    stream.socket.destroy();

    const silent = openSocket(port);
    silent.socket.write(`${LINES}Content-Length: 60\r\n\r\n\n`);
    await untilClosed([silent], limits.silenceMs + 3_000);
  });

  it("are disconnected when they do not close the connection", async () => {
    const deaf = openSocket(port);
    deaf.socket.allowHalfOpen = true;
    deaf.socket.write(`${POST}Content-Length: 900\r\n\r\n `);
    await deaf.until("HTTP/1.1 408 ");
    await eventually(
      () => new Promise<number>((resolve) => app.server.getConnections((_, count) => resolve(count))),
      (open) => open === 0,
    );
    deaf.socket.destroy();
  });

  it("make room for others when they only hold a connection", async () => {
    const idle: RawSocket[] = [];
    for (let i = 0; i < limits.maxConnections; i++) {
      const one = openSocket(port);
      one.socket.write("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
      await one.until("HTTP/1.1 200");
      idle.push(one);
    }
    const turnedAway = openSocket(port);
    await untilClosed([turnedAway, ...idle], 5_000);
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`);
    assert.equal(answer.status, 200);
  });
});

describe("the timeouts of a bridge", () => {
  it("match docs/limits.md", () => {
    assert.deepEqual(
      [HTTP_TIMEOUTS.headersMs, HTTP_TIMEOUTS.bodyMs, HTTP_TIMEOUTS.silenceMs, HTTP_TIMEOUTS.maxConnections],
      [15_000, 120_000, 120_000, 10_000],
    );
  });
});
