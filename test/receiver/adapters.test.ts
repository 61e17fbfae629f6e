/** The receiver in real servers: node:http, Express and Fastify. */
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { createServer, request as httpRequest, type RequestListener } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { describe, it, type TestContext } from "node:test";
import express from "express";
import fastify from "fastify";
import { createReceiver, type ReceivedEvent } from "../../src/receiver/index.ts";
import type { WebhookRequest } from "../../src/uplink/request/cloudevent.ts";
import { batchOf, callOf, messageOf, SECRET } from "./calls.ts";

const MAX_BODY_BYTES = 100_000;

function start(onMessage: (event: ReceivedEvent) => unknown = () => undefined) {
  const [topics, errors]: [string[], unknown[]] = [[], []];
  const receiver = createReceiver({
    secret: SECRET,
    maxBodyBytes: MAX_BODY_BYTES,
    onMessage(event) {
      topics.push(`${event.topic}=${event.text()}`);
      return onMessage(event);
    },
    onError: (error) => void errors.push(error),
  });
  return { receiver, topics, errors };
}

async function listen(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
}

async function post(url: string, { headers, body }: WebhookRequest, method = "POST") {
  const response = await fetch(url, { method, headers, body: new Uint8Array(body) });
  return { status: response.status, type: response.headers.get("content-type"), body: await response.text() };
}

type Started = ReturnType<typeof start>["receiver"];
const SERVERS: [name: string, listen: (t: TestContext, receiver: Started) => Promise<string>][] = [
  ["node:http", (t, receiver) => listen(t, receiver.node)],
  ["Express", (t, receiver) => listen(t, express().all("/hook", receiver.express).use(express.json()))],
  ["Express with express.raw()", (t, receiver) => listen(t, express().all("/hook", raw, receiver.express))],
  [
    "Fastify",
    async (t, receiver) => {
      const app = fastify({ bodyLimit: 10 });
      await app.register(receiver.fastify, { path: "/hook" });
      t.after(() => app.close());
      return `${await app.listen({ port: 0, host: "127.0.0.1" })}/hook`;
    },
  ],
];
const raw = express.raw({ type: () => true, limit: "1mb" });

for (const [name, serve] of SERVERS) {
  describe(`the receiver in ${name}`, () => {
    it("takes calls in every mode, and sends the reply", async (t) => {
      const { receiver, topics, errors } = start(() => ({ done: true }));
      const url = await serve(t, receiver);
      const [structured, binary] = [messageOf("a", "21.50"), messageOf("b", '{"x": 1}')];
      const [text, empty] = [messageOf("c", "text"), messageOf("d", "")];
      const replied = { status: 200, type: "application/json", body: '{"done":true}' };
      assert.deepEqual(await post(url, callOf(structured)), replied);
      assert.deepEqual(await post(url, callOf(binary, { mode: "binary" }), "PUT"), replied);
      assert.deepEqual(await post(url, callOf(text, { mode: "binary" }), "PATCH"), replied);
      assert.deepEqual(await post(url, callOf(empty, { mode: "binary" })), replied);
      const more = messageOf("e", "5");
      assert.equal((await post(url, batchOf([structured, more]))).body, '{"failed":[]}');
      assert.deepEqual(topics, ["a=21.50", 'b={"x": 1}', "c=text", "d=", "e=5"]);
      assert.deepEqual(errors, []);
    });

    it("refuses forged and large calls, and answers on the same connection afterwards", async (t) => {
      const { receiver, topics } = start();
      const url = await serve(t, receiver);
      const good = callOf(messageOf("a", "1"));
      assert.equal((await post(url, { ...good, body: Buffer.from("x") })).status, 401);
      assert.equal((await post(url, { ...good, body: Buffer.alloc(MAX_BODY_BYTES + 1, "x") })).status, 413);
      assert.equal(await postChunked(url, Buffer.alloc(MAX_BODY_BYTES * 5, "x")), 413);
      assert.equal((await post(url, good)).status, 204);
      assert.deepEqual(topics, ["a=1"]);
    });

    it("passes the ownership check", async (t) => {
      const url = await serve(t, start().receiver);
      const response = await fetch(url, { method: "OPTIONS", headers: { "webhook-request-origin": "bridge" } });
      assert.deepEqual([response.status, response.headers.get("webhook-allowed-origin")], [204, "bridge"]);
    });
  });
}

/** Sends a body without `Content-Length`. @returns the status */
async function postChunked(url: string, body: Buffer): Promise<number> {
  const request = httpRequest(url, { method: "POST", agent: false });
  for (let at = 0; at < body.length; at += 10_000) request.write(body.subarray(at, at + 10_000));
  request.end();
  const [response] = await once(request, "response");
  response.resume();
  return response.statusCode;
}

describe("a body parser before the receiver", () => {
  it("is named in the error", async (t) => {
    const { receiver, topics, errors } = start();
    const parsers = express.json({ type: () => true });
    const url = await listen(t, express().use(parsers).all("/hook", receiver.express));
    const { status } = await post(url, callOf(messageOf("a", "1")));
    assert.deepEqual([status, topics], [500, []]);
    assert.match(String(errors[0]), /before express\.json\(\)/);
  });

  it("does no harm when it leaves the bytes, or keeps them as rawBody", async (t) => {
    const { receiver, topics, errors } = start();
    const left = await listen(t, express().use(express.json()).all("/hook", receiver.express));
    assert.equal((await post(left, callOf(messageOf("a", "1")))).status, 204);
    const verify = (request: object, _response: unknown, rawBody: Buffer) => void Object.assign(request, { rawBody });
    const parsers = express.json({ type: () => true, verify });
    const kept = await listen(t, express().use(parsers).all("/hook", receiver.express));
    assert.equal((await post(kept, callOf(messageOf("b", "2")))).status, 204);
    assert.deepEqual([topics, errors], [["a=1", "b=2"], []]);
  });

  it("of Fastify stays in force for the other routes", async (t) => {
    const app = fastify();
    t.after(() => app.close());
    await app.register(start().receiver.fastify, { path: "/hook" });
    app.post("/other", ({ body }) => ({ body }));
    const answer = await app.inject({ method: "POST", url: "/other", payload: { a: 1 } });
    assert.deepEqual(answer.json(), { body: { a: 1 } });
  });
});

it("a caller that goes away leaves no error and no event", async (t) => {
  const { receiver, topics, errors } = start();
  const calls = new EventEmitter();
  const ended = once(calls, "ended");
  const url = await listen(t, async (request, response) => {
    await receiver.node(request, response);
    calls.emit("ended");
  });
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.write("POST /hook HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc", () => socket.destroy());
  await ended;
  assert.deepEqual([topics, errors], [[], []]);
});
