/** Streams that break: reconnecting, silence, refusals and leaving. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { describe, it } from "node:test";
import { Causeway, CausewayConnectionError, isCausewayError } from "../../src/client/index.ts";
import { scaled } from "../support/speed.ts";
import { hangUp, problem, type Script, silent, startScripted } from "./scripted-server.ts";

const client = (url: string, options = {}) => new Causeway({ url, apiKey: "secret", ...options });

function event(id: string): string {
  const json = JSON.stringify({ specversion: "1.0", id, subject: "d/1", datacontenttype: "text/plain", data: id });
  return `id: ${id}\ndata: ${json}\n\n`;
}

function opened(response: ServerResponse): ServerResponse {
  response.writeHead(200, { "content-type": "text/event-stream" }).write(": connected\n\n");
  return response;
}

/** Sends events and leaves the stream open. */
const sending =
  (...ids: string[]): Script =>
  (response) =>
    void opened(response).write(ids.map(event).join(""));

/** Sends events and breaks the connection. */
const breaking =
  (...ids: string[]): Script =>
  (response) =>
    void opened(response).write(ids.map(event).join(""), () => response.destroy());

async function take(stream: AsyncIterable<{ id: string }>, count: number): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of stream) if (ids.push(id) === count) break;
  return ids;
}

describe("a stream", { concurrency: true }, () => {
  it("asks for all filters and closes its connection when the loop ends", async (t) => {
    let response!: ServerResponse;
    const { url, requests } = await startScripted(t, (opening) => {
      response = opening;
      sending("1", "2", "3")(opening, requests[0]!);
    });
    assert.deepEqual(await take(client(url).stream(["d/#", "e/+"]), 2), ["1", "2"]);
    assert.equal(requests[0]!.path, "/v1/stream?topic=d%2F%23&topic=e%2F%2B");
    if (!response.destroyed) await once(response, "close");
  });

  it("opens again after it broke off, was ended or was refused for the moment", async (t) => {
    const { url, requests } = await startScripted(
      t,
      breaking("1"),
      problem(503, "shutting_down", { "retry-after": "0" }),
      hangUp,
      (response) => void opened(response).end(event("2")),
      sending("3"),
    );
    const causes: unknown[] = [];
    const stream = client(url, { retries: 0 }).stream(["d/#"], { onReconnect: (cause) => causes.push(cause) });
    assert.deepEqual(await take(stream, 3), ["1", "2", "3"]);
    assert.equal(requests.length, 5);
    assert.equal(causes.length, 4);
    assert.ok(causes[0] instanceof CausewayConnectionError);
    assert.ok(isCausewayError(causes[1], "shutting_down"));
  });

  it("opens again when it is silent", async (t) => {
    const { url, requests } = await startScripted(t, sending("1"), silent, sending("2"));
    assert.deepEqual(await take(client(url).stream(["d/#"], { silenceMs: scaled(600) }), 2), ["1", "2"]);
    assert.equal(requests.length, 3);
  });

  it("is not silent while the caller is slow", async (t) => {
    const { url, requests } = await startScripted(t, sending("1", "2"));
    for await (const { id } of client(url).stream(["d/#"], { silenceMs: 1_000 })) {
      if (id === "2") break;
      await new Promise((resolve) => setTimeout(resolve, 2_500));
    }
    assert.equal(requests.length, 1);
  });

  it("fails if the first connection does, after the retries of the client", async (t) => {
    const { url, requests } = await startScripted(t, problem(503, "broker_unavailable"));
    const failed = take(client(url, { retries: 1 }).stream(["d/#"]), 1);
    await assert.rejects(failed, (error) => isCausewayError(error, "broker_unavailable"));
    assert.equal(requests.length, 2);
  });

  it("fails if it is refused for good, also later", async (t) => {
    const { url, requests } = await startScripted(t, breaking("1"), problem(401, "unauthorized"));
    await assert.rejects(take(client(url).stream(["d/#"]), 2), (error) => isCausewayError(error, "unauthorized"));
    assert.equal(requests.length, 2);
  });

  it("ends without an error when its signal aborts", async (t) => {
    const { url } = await startScripted(t, sending("1"));
    const abort = new AbortController();
    const ids: string[] = [];
    for await (const { id } of client(url).stream(["d/#"], { signal: abort.signal })) {
      ids.push(id);
      setImmediate(() => abort.abort());
    }
    assert.deepEqual(ids, ["1"]);
    for await (const _ of client(url).stream(["d/#"], { signal: abort.signal })) assert.fail();
  });
});
