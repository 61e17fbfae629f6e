/** A batch as a stream of lines: answered while it comes, and never held whole. */
import assert from "node:assert/strict";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { after, before, beforeEach, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import type { BatchPorts } from "../../src/downlink/batch.ts";
import { publishLines } from "../../src/downlink/batch-stream.ts";
import { Lines } from "../../src/downlink/lines.ts";
import type { Problem } from "../../src/errors.ts";
import { AUTH, type Downlink, MAX_PAYLOAD_BYTES, startDownlink } from "./support.ts";

const NDJSON = "application/x-ndjson";

describe("POST /v1/messages/batch with lines", () => {
  let test: Downlink;
  before(async () => {
    test = await startDownlink();
    await test.app.listen({ port: 0, host: "127.0.0.1" });
  });
  after(() => test.app.close());
  beforeEach(() => {
    test.published.length = 0;
    test.outcome = { kind: "sent" };
    test.onPublish = undefined;
  });

  function open(headers: Record<string, string> = {}, path = "/v1/messages/batch"): ClientRequest {
    const { port } = test.app.server.address() as AddressInfo;
    const all = { ...AUTH, "content-type": NDJSON, ...headers };
    return httpRequest({ port, host: "127.0.0.1", method: "POST", path, headers: all, agent: false });
  }

  const answerTo = (sent: ClientRequest) =>
    new Promise<IncomingMessage>((resolve, reject) => sent.on("response", resolve).on("error", reject));

  async function textOf(answer: IncomingMessage): Promise<string> {
    let text = "";
    for await (const chunk of answer.setEncoding("utf8")) text += chunk;
    return text;
  }

  async function send(body: string | Buffer, headers = {}) {
    const sent = open(headers);
    sent.end(body);
    const answer = await answerTo(sent);
    const text = await textOf(answer);
    const results = answer.headers["content-type"]?.startsWith(NDJSON)
      ? text
          .split("\n")
          .slice(0, -1)
          .map((line) => JSON.parse(line))
      : [];
    return { status: answer.statusCode, headers: answer.headers, text, results };
  }

  it("publishes every line, byte for byte and in order", async () => {
    const payloads = ["1.10", '"text"', '{"a" :[1.0]}'];
    const { status, results } = await send(payloads.map((text) => `{"topic":"t","payload":${text}}\n`).join(""));
    assert.equal(status, 200);
    assert.deepEqual(
      test.published.map(({ payload }) => payload.toString()),
      ["1.10", "text", '{"a" :[1.0]}'],
    );
    assert.deepEqual(
      results.map(({ status, id }) => [status, id]),
      test.published.map(({ id }) => [200, id]),
    );
  });

  it("takes CRLF, empty lines, and a last line without an end", async () => {
    const { results } = await send('\n{"topic":"a"}\r\n\r\n\n{"topic":"b"}\n{"topic":"c"}');
    assert.deepEqual(
      results.map(({ topic }) => topic),
      ["a", "b", "c"],
    );
  });

  it("answers an empty stream with nothing", async () => {
    for (const body of ["", "\n\r\n"]) {
      const { status, text } = await send(body);
      assert.deepEqual([status, text], [200, ""]);
    }
  });

  it("goes on behind a line that is broken, too long or not valid", async () => {
    const limit = MAX_PAYLOAD_BYTES * 2 + 65_536;
    const lines = [
      '{"topic":"first"}',
      '{"topic":',
      Buffer.from([0x22, 0xff, 0x22]),
      "",
      `"${"x".repeat(limit)}"`,
      '{"topic":"a/#"}',
      "7",
      '{"topic":"last"}',
    ];
    const body = Buffer.concat(lines.flatMap((line) => [Buffer.from(line), Buffer.from("\n")]));
    const { results } = await send(body);
    assert.deepEqual(
      results.map(({ status, code, errors }) => [status, code, errors?.[0]]),
      [
        [200, undefined, undefined],
        [400, "invalid_request", { path: "messages[1]", message: "line 2 is not valid JSON" }],
        [400, "invalid_request", { path: "messages[2]", message: "line 3 is not valid UTF-8" }],
        [413, "payload_too_large", { path: "messages[3]", message: "line 5 is too long" }],
        [400, "invalid_topic", { path: "messages[4].topic", message: "must not contain the wildcards + and #" }],
        [400, "invalid_request", { path: "messages[5]", message: "must be object" }],
        [200, undefined, undefined],
      ],
    );
    assert.deepEqual(
      test.published.map(({ topic }) => topic),
      ["first", "last"],
    );
  });

  it("answers while the client is still sending, in order although a later one is done first", async () => {
    let release = () => {};
    test.onPublish = async ({ topic }) => {
      if (topic === "slow") await new Promise<void>((resolve) => (release = resolve));
      return { kind: "sent" };
    };
    const sent = open();
    sent.write('{"topic":"a"}\n');
    const lines = createInterface(await answerTo(sent))[Symbol.asyncIterator]();
    const next = async () => JSON.parse((await lines.next()).value).topic;
    assert.equal(await next(), "a");
    sent.write('{"topic":"slow"}\n{"topic":"c"}\n{"top');
    setTimeout(() => release(), 50);
    assert.deepEqual([await next(), await next()], ["slow", "c"]);
    sent.end('ic":"d"}');
    assert.equal(await next(), "d");
    assert.equal((await lines.next()).done, true);
  });

  it("refuses an idempotency key, other routes and the lack of API key", async () => {
    const keyed = await send('{"topic":"a"}\n', { "idempotency-key": "k" });
    assert.equal(keyed.status, 400);
    assert.equal(JSON.parse(keyed.text).errors[0].path, "header.idempotency-key");
    const other = open({}, "/v1/messages");
    other.end("{}");
    assert.equal((await answerTo(other)).statusCode, 415);
    assert.equal((await send("{}", { authorization: "Bearer wrong" })).status, 401);
    assert.equal(test.published.length, 0);
  });

  it("stops reading while nobody reads the results, and goes on when somebody does", async () => {
    const total = 200_000;
    test.onPublish = async () => {
      test.published.length = 0;
      count++;
      return { kind: "sent" };
    };
    let count = 0;
    const pad = "x".repeat(100);
    function* body() {
      for (let i = 0; i < total; i += 500) {
        let text = "";
        for (let j = i; j < i + 500; j++) text += `{"topic":"t/${j}","payload":"${pad}"}\n`;
        yield Buffer.from(text);
      }
    }
    global.gc?.();
    const before = process.memoryUsage().rss;
    const sent = open();
    Readable.from(body()).pipe(sent);
    const answer = await answerTo(sent);
    let stalledAt = -1;
    for (let still = 0; still < 3; ) {
      await delay(100);
      still = count === stalledAt ? still + 1 : 0;
      stalledAt = count;
    }
    // What the sockets of both sides hold is the kernel's affair.
    assert.ok(stalledAt < total, `${stalledAt} of ${total} were read`);
    const grown = (process.memoryUsage().rss - before) / 2 ** 20;
    let next = 0;
    for await (const line of createInterface(answer)) {
      const { topic } = JSON.parse(line);
      assert.equal(topic, `t/${next++}`);
    }
    assert.equal(next, total);
    assert.ok(grown < 150, `${grown} MiB`);
  });

  it("stops when the client goes, and serves others", async () => {
    let [held, released] = [0, false];
    test.onPublish = async () => {
      held++;
      while (!released) await delay(10);
      return { kind: "sent" };
    };
    const sent = open();
    sent.on("error", () => {});
    sent.write('{"topic":"t"}\n'.repeat(5_000));
    while (held < 1_000) await delay(5);
    await delay(50);
    assert.equal(held, 1_000);
    sent.destroy();
    await delay(50);
    released = true;
    await delay(50);
    assert.equal(held, 1_000);
    test.onPublish = undefined;
    assert.equal((await send('{"topic":"a"}')).results[0].status, 200);
  });
});

describe("publishLines", () => {
  const ports = (fields: Partial<BatchPorts> = {}): BatchPorts => ({
    faults: () => [],
    publishOne: async ({ topic }) => ({ status: 200, topic }),
    check: () => undefined,
    take: () => undefined,
    refusal: (error) => error as Problem,
    ...fields,
  });

  it("holds no more than 1,000 messages, nor more than 16 MiB of them and one", async () => {
    for (const [bytes, most] of [
      [20, 1_000],
      [1024 * 1024, 17],
    ] as const) {
      let started = 0;
      const line = Buffer.from(`{"topic":"${"x".repeat(bytes - 13)}"}\n`);
      const source = Readable.from(Array(3_000).fill(line));
      const publishOne = () => {
        started++;
        return new Promise<never>(() => {});
      };
      void publishLines(source, 2 ** 22, ports({ publishOne })).next();
      for (let last = -1; last !== started; await delay(50)) last = started;
      assert.equal(started, most);
    }
  });

  it("ends quietly when the source breaks off", async () => {
    async function* source() {
      yield Buffer.from('{"topic":"a"}\n');
      throw new Error("aborted");
    }
    let text = "";
    for await (const piece of publishLines(source(), 100, ports())) text += piece;
    assert.ok(text === "" || text === '{"status":200,"topic":"a"}\n');
  });

  it("counts every line but the first for the rate limit: the request is counted already", async () => {
    let left = 0;
    const take = () => {
      if (left-- === 0) throw Object.assign(new Error(), { toJSON: () => ({ status: 429 }) });
    };
    const source = Readable.from([Buffer.from('{"topic":"a"}\n{"topic":"b"}\n')]);
    let text = "";
    for await (const piece of publishLines(source, 100, ports({ take }))) text += piece;
    assert.equal(text, '{"status":200,"topic":"a"}\n{"status":429}\n');
  });
});

describe("Lines", () => {
  const LIMIT = 8;
  const piece = fc.constantFrom("\n", "\r\n", "\r", "a", "bcd", "12345678", "123456789", "é");

  it("cuts any bytes, however they come in, as a split of the whole would", () => {
    fc.assert(
      fc.property(fc.array(piece), fc.array(fc.nat(30)), (pieces, cuts) => {
        const whole = Buffer.from(pieces.join(""));
        const lines = new Lines(LIMIT);
        const found: string[] = [];
        const drain = () => {
          for (let line = lines.next(); line; line = lines.next()) {
            found.push(`${line.number} ${"tooLong" in line ? "too long" : line.bytes.toString("latin1")}`);
          }
        };
        const ends = [...cuts.map((cut) => Math.min(cut, whole.length)), whole.length].sort((a, b) => a - b);
        let at = 0;
        for (const end of ends) {
          lines.push(whole.subarray(at, end));
          at = end;
          drain();
        }
        lines.end();
        drain();
        const expected = whole
          .toString("latin1")
          .split("\n")
          .map((line) => line.replace(/\r$/, ""))
          .flatMap((line, i) => (line ? [`${i + 1} ${line.length > LIMIT ? "too long" : line}`] : []));
        assert.deepEqual(found, expected);
      }),
      { numRuns: 2_000 },
    );
  });
});
