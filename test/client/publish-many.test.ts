/** Back-pressure and failures of `publishMany`, against a server that answers line by line. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { Causeway, CausewayConnectionError, isCausewayError, type MessageInput } from "../../src/client/index.ts";
import { json, problem, startScripted } from "./scripted-server.ts";

const client = (url: string) => new Causeway({ url, apiKey: "secret", retries: 0 });

/** A server that handles the lines of each request. */
async function startLines(
  t: TestContext,
  handle: (lines: AsyncIterable<string>, response: ServerResponse, request: IncomingMessage) => Promise<void>,
): Promise<string> {
  const server = createServer((request, response) => {
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    handle(linesOf(request), response, request).catch(() => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function* linesOf(request: IncomingMessage): AsyncGenerator<string> {
  let rest = "";
  for await (const text of request.setEncoding("utf8")) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

const echo = async (lines: AsyncIterable<string>, response: ServerResponse) => {
  for await (const line of lines) {
    const result = JSON.stringify({ status: 200, topic: (JSON.parse(line) as MessageInput).topic });
    if (!response.write(`${result}\n`)) await once(response, "drain");
  }
  response.end();
};

/** Array.fromAsync, which Node.js 20 lacks. */
async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** Counts how many messages were taken, and whether the source was left. */
class Source {
  taken = 0;
  left = false;

  async *messages(count: number): AsyncGenerator<MessageInput> {
    try {
      while (this.taken < count) yield { topic: `d/${this.taken++}`, payload: "x" };
    } finally {
      this.left = true;
    }
  }
}

describe("publishMany as lines", () => {
  it("yields the results in order and keeps at most 1,000 messages under way", async (t) => {
    const url = await startLines(t, echo);
    const source = new Source();
    let results = 0;
    for await (const result of client(url).publishMany(source.messages(4_000))) {
      assert.equal((result as { topic: string }).topic, `d/${results++}`);
      assert.ok(source.taken - results <= 1_000, `${source.taken - results} messages are under way`);
    }
    assert.equal(results, 4_000);
    assert.ok(source.left);
  });

  it("takes no messages while the caller takes no results", async (t) => {
    const url = await startLines(t, echo);
    const source = new Source();
    const results = client(url).publishMany(source.messages(100_000));
    await results.next();
    while (source.taken < 1_001) await new Promise(setImmediate);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(source.taken, 1_001);
    await results.return();
    assert.ok(source.left);
  });

  it("holds little of large messages while the bridge does not read them", async (t) => {
    const url = await startLines(t, () => new Promise(() => undefined));
    const source = new Source();
    const abort = new AbortController();
    const large = "x".repeat(100_000);
    async function* messages(): AsyncGenerator<MessageInput> {
      for await (const message of source.messages(1_000)) yield { ...message, payload: large };
    }
    const failed = assert.rejects(all(client(url).publishMany(messages(), { signal: abort.signal })), /enough/);
    // The sockets of the system hold some megabytes.
    for (let before = -1; before < source.taken; ) {
      before = source.taken;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    assert.ok(source.taken > 0 && source.taken < 300, `${source.taken} messages were taken`);
    abort.abort(new Error("enough"));
    await failed;
  });

  it("sends each message at once", async (t) => {
    const url = await startLines(t, echo);
    let release!: () => void;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    async function* messages(): AsyncGenerator<MessageInput> {
      yield { topic: "d/0" };
      await released; // by the result of the first message
      yield { topic: "d/1" };
    }
    const topics: unknown[] = [];
    for await (const result of client(url).publishMany(messages())) {
      topics.push((result as { topic: string }).topic);
      release();
    }
    assert.deepEqual(topics, ["d/0", "d/1"]);
  });

  it("sends the JSON text of a message as it is, on one line", async (t) => {
    const received: string[] = [];
    const url = await startLines(t, async (lines, response) => {
      for await (const line of lines) {
        received.push(line);
        response.write('{"status":200}\n');
      }
      response.end();
    });
    const texts = ['{"topic":"a","payload":1.10}', '{"topic":"b",\r\n"payload":12345678901234567890}'];
    assert.equal((await all(client(url).publishMany(texts))).length, 2);
    assert.deepEqual(received, [texts[0], '{"topic":"b",  "payload":12345678901234567890}']);
  });

  it("accepts an array, and none at all", async (t) => {
    const url = await startLines(t, echo);
    assert.equal((await all(client(url).publishMany([{ topic: "a" }, { topic: "b" }]))).length, 2);
    assert.equal((await all(client(url).publishMany([]))).length, 0);
  });

  it("sends the key of the caller", async (t) => {
    let key: unknown;
    const url = await startLines(t, async (lines, response, { headers }) => {
      key = headers["idempotency-key"];
      await echo(lines, response);
    });
    await all(client(url).publishMany([{ topic: "a" }], { idempotencyKey: "mine" }));
    assert.equal(key, "mine");
    await all(client(url).publishMany([{ topic: "a" }]));
    assert.equal(key, undefined);
  });

  it("fails as its source does", async (t) => {
    const url = await startLines(t, echo);
    async function* messages(): AsyncGenerator<MessageInput> {
      yield { topic: "d/0" };
      throw new Error("no more paper");
    }
    await assert.rejects(all(client(url).publishMany(messages())), /^Error: no more paper$/);
  });

  it("fails if the bridge breaks off, or ends before all results", async (t) => {
    for (const end of ["destroy", "end"] as const) {
      const url = await startLines(t, async (lines, response) => {
        for await (const _ of lines) return void response[end]();
      });
      const source = new Source();
      const failed = all(client(url).publishMany(source.messages(2_000)));
      await assert.rejects(failed, CausewayConnectionError);
      assert.ok(source.left);
    }
  });

  it("fails if the bridge refuses the request", async (t) => {
    const { url } = await startScripted(t, problem(403, "insufficient_scope"));
    const failed = all(client(url).publishMany([{ topic: "a" }]));
    await assert.rejects(failed, (error) => isCausewayError(error, "insufficient_scope"));
  });

  it("rejects with the reason of its signal", async (t) => {
    const url = await startLines(t, echo);
    const abort = new AbortController();
    const source = new Source();
    const failed = (async () => {
      for await (const _ of client(url).publishMany(source.messages(10_000), { signal: abort.signal })) {
        abort.abort(new Error("enough"));
      }
    })();
    await assert.rejects(failed, /^Error: enough$/);
    assert.ok(source.left);
  });
});

describe("publishMany as batches", () => {
  it("sends 1,000 messages at a time, and less if they are large", async (t) => {
    const results = (count: number) => json({ results: Array.from({ length: count }, () => ({ status: 200 })) });
    const { url, requests } = await startScripted(t, results(1_000), results(1), results(2), results(1));
    const options = { mode: "batches" } as const;
    assert.equal((await all(client(url).publishMany(new Source().messages(1_001), options))).length, 1_001);
    const large = Array.from({ length: 3 }, () => ({ topic: "a", payload: "x".repeat(4_000_000) }));
    assert.equal((await all(client(url).publishMany(large, options))).length, 3);
    assert.deepEqual(
      requests.map(({ body }) => (JSON.parse(body) as { messages: unknown[] }).messages.length),
      [1_000, 1, 2, 1],
    );
    assert.equal(new Set(requests.map(({ headers }) => headers["idempotency-key"])).size, 4);
  });
});
