/**
 * A batch as a stream of lines: results are sent while lines arrive, and the batch is never held in memory as a whole.
 */
import assert from "node:assert/strict";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { after, before, beforeEach, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../support/eventually.ts";
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

  it("accepts CRLF, empty lines and a last line without a line end", async () => {
    const { results } = await send('\n{"topic":"a"}\r\n\r\n\n{"topic":"b"}\n{"topic":"c"}');
    assert.deepEqual(
      results.map(({ topic }) => topic),
      ["a", "b", "c"],
    );
  });

  it("responds to an empty stream with an empty stream", async () => {
    for (const body of ["", "\n\r\n"]) {
      const { status, text } = await send(body);
      assert.deepEqual([status, text], [200, ""]);
    }
  });

  it("continues after a line that is malformed, too long or invalid", async () => {
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

  it("responds while the client is still sending, in order even if a later line is done first", async () => {
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

  it("processes each line once under an idempotency key", async () => {
    const key = { "idempotency-key": "k" };
    const lines = ["a", "b", "c"].map((topic) => JSON.stringify({ topic }));
    const broken = await send(`${lines[0]}\n${lines[1]}\n`, key);
    const whole = await send(`${lines.join("\n")}\n`, key);
    assert.deepEqual(
      test.published.map(({ topic }) => topic),
      ["a", "b", "c"],
    );
    assert.deepEqual(whole.results.slice(0, 2), broken.results);
    assert.equal(whole.results[2].topic, "c");

    const [same, other] = (await send(`${lines[0]}\n${lines[2]}\n`, key)).results;
    assert.deepEqual([same.id, other.status, other.code], [whole.results[0].id, 422, "idempotency_mismatch"]);
    assert.notEqual((await send(`${lines[0]}\n`, { "idempotency-key": "k2" })).results[0].id, same.id);
  });

  it("keeps no result under an idempotency key that a retry could improve", async () => {
    const key = { "idempotency-key": "again" };
    test.outcome = { kind: "timeout", afterMs: 10_000 };
    const [failed] = (await send('{"topic":"t"}\n', key)).results;
    assert.equal(failed.status, 504);
    test.outcome = { kind: "sent" };
    assert.equal((await send('{"topic":"t"}\n', key)).results[0].status, 200);
  });

  it("refuses an invalid idempotency key, other routes and a missing API key", async () => {
    const keyed = await send('{"topic":"a"}\n', { "idempotency-key": "x".repeat(256) });
    assert.equal(keyed.status, 400);
    assert.equal(JSON.parse(keyed.text).errors[0].path, "header.idempotency-key");
    const other = open({}, "/v1/messages");
    other.end("{}");
    assert.equal((await answerTo(other)).statusCode, 415);
    assert.equal((await send("{}", { authorization: "Bearer wrong" })).status, 401);
    assert.equal(test.published.length, 0);
  });

  it("stops reading while the client does not read the results, and continues when it does", async () => {
    const total = 100_000;
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
    // The amount buffered by both sockets depends on the kernel.
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

  it("stops when the client disconnects, and still serves others", async () => {
    let [held, released] = [0, false];
    test.onPublish = async () => {
      held++;
      while (!released) await delay(10);
      return { kind: "sent" };
    };
    const sent = open();
    sent.on("error", () => {});
    sent.write('{"topic":"t"}\n'.repeat(5_000));
    await eventually(() => held >= 1_000, "a thousand are held");
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
