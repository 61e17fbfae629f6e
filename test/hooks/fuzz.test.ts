/** Random calls of hooks: each is answered, and never with a 5xx. `RUNS` sets their number. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { startTestKeys } from "../keys/support.ts";
import fc from "../support/property.ts";

const HOOKS = [
  { topic: "a/b" },
  { topic: "a/{query.a}/{headers.`x-a`}", payload: "$" },
  { topic: "a/{params.a}", payload: "body", durable: false },
  { topic: "{method}", payload: "$string(body)", verify: { type: "standard", secret: "c2VjcmV0" } },
  { topic: "a", verify: { type: "stripe", secret: "s" } },
  { topic: "a", verify: { type: "github", secret: "s" } },
  { topic: "a", verify: { type: "hmac", secret: "s", header: "x-a", encoding: "base64", prefix: "v=" } },
  { topic: "a", verify: { type: "basic", username: "u", password: "p" } },
];
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];
const NAMES = [
  ...["webhook-id", "webhook-timestamp", "webhook-signature", "stripe-signature", "x-hub-signature-256"],
  ...["x-a", "authorization", "idempotency-key", "x-github-delivery", "cookie", "accept"],
];
const TYPES = [
  ...[
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
  ],
  ...["text/plain", "application/octet-stream", "x", "", 'a/b; c="', "application/json; charset=utf-16"],
];

it("no call of a hook fails", async () => {
  const test = await startTestKeys();
  const paths: string[] = ["/in/none"];
  for (const input of HOOKS) {
    const { body } = await test.api("POST", "/v1/hooks", { name: "h", methods: METHODS, ...input });
    paths.push(body.path);
  }
  const text = fc.oneof(
    fc.constantFrom(
      "",
      "1",
      "{",
      "null",
      '{"id":"a"}',
      "a=1&a=2",
      "v=",
      "v1,",
      "t=1,v1=",
      "Basic dTpw",
      "--x\r\n",
      "[]",
    ),
    fc.stringMatching(/^[\x21-\x7e]{0,20}$/),
  );
  const calls = fc.record({
    path: fc.constantFrom(...paths),
    method: fc.constantFrom(...METHODS, "HEAD"),
    query: fc.dictionary(fc.constantFrom("a", "b", "__proto__", "constructor"), text, { maxKeys: 3 }),
    headers: fc.dictionary(fc.constantFrom(...NAMES), text, { maxKeys: 4 }),
    type: fc.constantFrom(...TYPES),
    body: fc.oneof(text, fc.uint8Array({ maxLength: 1_100 }).map(Buffer.from)),
  });
  const statuses = new Set<number>();
  const numRuns = Number(process.env.RUNS ?? 500);
  await fc.assert(
    fc.asyncProperty(calls, async ({ path, method, query, headers, type, body }) => {
      // Failed verifications are limited.
      test.clock.ms += 60_000;
      const reply = await test.app.inject({
        ...{ method: method as "POST", url: path, query, headers: { ...headers, "content-type": type } },
        ...(method !== "GET" && method !== "HEAD" && { payload: body }),
      });
      statuses.add(reply.statusCode);
      assert.ok(reply.statusCode < 500, `${reply.statusCode} ${reply.body}`);
      const isProblem = reply.statusCode >= 400 && method !== "HEAD";
      if (isProblem) assert.equal(reply.json().status, reply.statusCode);
    }),
    { numRuns },
  );
  await test.close();
  for (const status of [200, 202, 401, 404, 405, 422]) assert.ok(statuses.has(status), `${status} has not occurred`);
});
