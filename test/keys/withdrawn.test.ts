/** A key that is removed or expires during its request. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";
import { startTestKeys, type TestKeys } from "./support.ts";

let test: TestKeys;
beforeEach(async () => {
  test = await startTestKeys();
});
afterEach(() => test.close());

const EXPIRES_AFTER_MS = 60_000;
const makeKey = () => test.make({ expiresAt: new Date(test.clock.ms + EXPIRES_AFTER_MS).toISOString() });
type Key = Awaited<ReturnType<typeof makeKey>>;

/** Ways to end a key. */
const ends: [name: string, end: (key: Key) => unknown][] = [
  ["is removed", ({ id }) => test.api("DELETE", `/v1/keys/${id}`)],
  [
    "expires",
    () => {
      test.clock.ms += EXPIRES_AFTER_MS;
    },
  ],
];

/** Opens a request whose body is written and whose response is read piece by piece. */
function open(method: string, path: string, { key }: Key, contentType?: string) {
  const { port } = test.app.server.address() as AddressInfo;
  const headers = { authorization: `Bearer ${key}`, ...(contentType && { "content-type": contentType }) };
  return request({ port, method, path, headers });
}

for (const [name, end] of ends) {
  describe(`a key that ${name}`, () => {
    it("receives nothing more on its stream, which ends with the next message", { timeout: 10_000 }, async () => {
      const key = await makeKey();
      const sent = open("GET", "/v1/stream?topic=a", key).end();
      const [response] = await once(sent, "response");
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      test.tell("a", "before");
      while (!text.includes("before")) await once(response, "data");
      const ended = once(response, "end");
      await end(key);
      test.tell("a", "after");
      await ended;
      assert.doesNotMatch(text, /after/);
    });

    it("does not receive the response that its request waits for", { timeout: 10_000 }, async () => {
      const key = await makeKey();
      const published = once(test.publishing, "published");
      const waiting = test.api("POST", "/v1/requests", { topic: "device" }, key.key).then((response) => response);
      await published;
      await end(key);
      test.tell(test.published[0]!.responseTopic!, "the answer");
      const { status, body, text } = await waiting;
      assert.deepEqual([status, body.code], [401, "unauthorized"]);
      assert.doesNotMatch(text, /the answer/);
    });

    it("publishes no further lines of its stream", { timeout: 10_000 }, async () => {
      const key = await makeKey();
      const sent = open("POST", "/v1/messages/batch", key, "application/x-ndjson");
      const published = once(test.publishing, "published");
      sent.write('{"topic":"a"}\n');
      const [[response]] = await Promise.all([once(sent, "response"), published]);
      await end(key);
      sent.end('{"topic":"b"}\n');
      let text = "";
      for await (const chunk of response) text += chunk;
      const results = text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      assert.deepEqual([results[0].outcome, results[1].code], ["sent", "unauthorized"]);
      assert.deepEqual(
        test.published.map(({ topic }) => topic),
        ["a"],
      );
    });
  });
}
