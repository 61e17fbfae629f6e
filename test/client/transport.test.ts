/** Retries, idempotency keys, time limits and errors of the client, against scripted responses. */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, it } from "node:test";
import { Causeway, CausewayConnectionError, CausewayTimeoutError, isCausewayError } from "../../src/client/index.ts";
import { freePort } from "../support/ports.ts";
import { hangUp, json, problem, silent, startScripted } from "./scripted-server.ts";

const RESULT = {
  id: "msg_1",
  topic: "d/1",
  qos: 1,
  retain: false,
  outcome: "acknowledged",
  noMatchingSubscribers: null,
};
const MESSAGE = { topic: "d/1", payload: { led: "on" } };

const client = (url: string, options = {}) => new Causeway({ url, apiKey: "secret", ...options });

describe("retries", { concurrency: true }, () => {
  it("follow 429 and 503 after Retry-After, with the same key and body", async (t) => {
    const { url, requests } = await startScripted(
      t,
      problem(429, "rate_limited", { "retry-after": "1" }),
      problem(503, "broker_unavailable", { "retry-after": "1" }),
      json(RESULT),
    );
    assert.deepEqual(await client(url).messages.publish(MESSAGE), RESULT);
    assert.equal(requests.length, 3);
    for (const [i, { headers, body }] of requests.entries()) {
      assert.equal(headers.authorization, "Bearer secret");
      assert.match(String(headers["idempotency-key"]), /^[0-9a-f]{32}$/);
      assert.equal(headers["idempotency-key"], requests[0]!.headers["idempotency-key"]);
      assert.deepEqual(JSON.parse(body), MESSAGE);
      if (i > 0) assert.ok(requests[i]!.at - requests[i - 1]!.at >= 1_000, "earlier than Retry-After");
    }
  });

  it("follow a lost connection, and a response that breaks off", async (t) => {
    const { url, requests } = await startScripted(
      t,
      hangUp,
      (response) => void response.writeHead(200, { "content-length": "100" }).write("{", () => response.destroy()),
      json(RESULT),
    );
    assert.deepEqual(await client(url).messages.publish(MESSAGE, { idempotencyKey: "mine" }), RESULT);
    assert.deepEqual(
      requests.map(({ headers }) => headers["idempotency-key"]),
      ["mine", "mine", "mine"],
    );
  });

  it("use a new key for every call", async (t) => {
    const { url, requests } = await startScripted(t, json(RESULT));
    const causeway = client(url);
    await causeway.messages.publish(MESSAGE);
    await causeway.messages.publish(MESSAGE);
    assert.notEqual(requests[0]!.headers["idempotency-key"], requests[1]!.headers["idempotency-key"]);
  });

  it("end after the given number, with the last refusal", async (t) => {
    const { url, requests } = await startScripted(t, problem(503, "store_unavailable"));
    const failed = client(url, { retries: 1 }).status();
    await assert.rejects(failed, (error) => isCausewayError(error, "store_unavailable"));
    assert.equal(requests.length, 2);
  });

  it("do not follow other refusals", async (t) => {
    const { url, requests } = await startScripted(t, problem(504, "broker_timeout"));
    await assert.rejects(client(url).messages.publish(MESSAGE), (error) => isCausewayError(error, "broker_timeout"));
    assert.equal(requests.length, 1);
  });

  it("do not wait for an attempt after the time limit", async (t) => {
    const { url, requests } = await startScripted(t, problem(429, "rate_limited", { "retry-after": "3600" }));
    await assert.rejects(client(url).status(), (error) => isCausewayError(error) && error.retryAfterMs === 3_600_000);
    assert.equal(requests.length, 1);
  });
});

describe("errors", () => {
  it("carry the problem of the bridge", async (t) => {
    const errors = [{ path: "topic", message: "must not contain +" }];
    const body = { type: "urn:x", title: "x", status: 400, detail: "topic: no", code: "invalid_topic", errors };
    const type = { "content-type": "application/problem+json; charset=utf-8", "x-request-id": "r-1" };
    const { url } = await startScripted(t, json(body, 400, type));
    await assert.rejects(client(url).messages.publish(MESSAGE), (error) => {
      assert.ok(isCausewayError(error, "invalid_topic"));
      assert.deepEqual([error.status, error.detail, error.requestId], [400, "topic: no", "r-1"]);
      assert.deepEqual(error.errors, errors);
      assert.equal(error.message, "400 invalid_topic: topic: no");
      return true;
    });
  });

  it("have no code if a proxy answers", async (t) => {
    const { url } = await startScripted(t, (response) => void response.writeHead(502).end("<h1>Bad gateway</h1>"));
    await assert.rejects(client(url).status(), { name: "CausewayError", status: 502, code: undefined });
  });

  it("are connection errors if the bridge cannot be reached", async () => {
    const unreachable = client(`http://127.0.0.1:${await freePort()}`, { retries: 0 });
    await assert.rejects(unreachable.status(), (error) => {
      assert.ok(error instanceof CausewayConnectionError && !(error instanceof CausewayTimeoutError));
      assert.match(error.message, /ECONNREFUSED/);
      return true;
    });
  });

  it("refuse ids that would reach another resource", async (t) => {
    const { url, requests } = await startScripted(t, json({}));
    for (const id of ["", ".", ".."]) await assert.rejects(client(url).webhooks.delete(id), TypeError);
    await client(url).webhooks.get("../keys?x");
    assert.deepEqual(
      requests.map(({ path }) => path),
      ["/v1/webhooks/..%2Fkeys%3Fx"],
    );
  });
});

describe("time limits and signals", () => {
  it("a call without a response ends at its time limit", async (t) => {
    const { url, requests } = await startScripted(t, silent);
    await assert.rejects(client(url, { timeoutMs: 200 }).status(), CausewayTimeoutError);
    await assert.rejects(client(url).status({ timeoutMs: 200 }), CausewayTimeoutError);
    assert.equal(requests.length, 2);
  });

  it("a signal aborts a call, its waiting time and a call that has not begun", async (t) => {
    const { url, requests } = await startScripted(t, silent, problem(503, "shutting_down", { "retry-after": "30" }));
    for (const wanted of [1, 2]) {
      const abort = new AbortController();
      const aborted = assert.rejects(client(url).status({ signal: abort.signal }), /^Error: enough$/);
      while (requests.length < wanted) await new Promise(setImmediate);
      abort.abort(new Error("enough"));
      await aborted;
      await assert.rejects(client(url).status({ signal: abort.signal }), /^Error: enough$/);
    }
    assert.equal(requests.length, 2);
  });

  it("no call leaves a listener on the signal", async (t) => {
    const { url } = await startScripted(t, json({}));
    const { signal } = new AbortController();
    for (let i = 0; i < 3; i++) await client(url).status({ signal });
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });
});

it("the path of the URL is kept", async (t) => {
  const { url, requests } = await startScripted(t, json({ items: [], nextCursor: null }));
  await client(`${url}/causeway/`).keys.list({ limit: 2 }).page();
  assert.equal(requests[0]!.path, "/causeway/v1/keys?limit=2");
});

it("a raw payload has the content type of the caller, or none", async (t) => {
  const { url, requests } = await startScripted(t, json(RESULT));
  const { topics } = client(url);
  await topics.publish("d/1", "a", { contentType: "text/x" });
  await topics.publish("d/1", "b");
  await topics.retain("d/1", Uint8Array.of(99), { qos: 2, expirySeconds: 3 });
  assert.deepEqual(
    requests.map(({ method, path, headers, body }) => [method, path, headers["content-type"], body]),
    [
      ["POST", "/v1/topics/d%2F1", "text/x", "a"],
      ["POST", "/v1/topics/d%2F1", undefined, "b"],
      ["PUT", "/v1/topics/d%2F1?qos=2&expirySeconds=3", undefined, "c"],
    ],
  );
});
