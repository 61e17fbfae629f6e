/** Authorization of the bridge's calls: over real HTTP, with a small authorization server. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { type AuthorizedCall, createAuthorizedSend } from "../../../src/uplink/egress/authorization.ts";
import { createSenders, type TlsCall } from "../../../src/uplink/egress/client-pool.ts";
import { Tokens } from "../../../src/uplink/egress/oauth-tokens.ts";
import { createAddressGuard } from "../../../src/uplink/egress/ssrf-guard.ts";
import type { ReceiverAuth } from "../../../src/webhooks/webhook.ts";
import { type Receiver, startReceiver } from "../../support/receiver.ts";

const SECRET = "hunter2 %&=";
const json = (body: object, status = 200) => ({ status, body: JSON.stringify(body) });

describe("authorization", () => {
  const senders = createSenders({ guard: createAddressGuard({ allow: ["127.0.0.0/8"] }) });
  let receiver: Receiver;
  let server: Receiver;
  let good: string;
  let issued = 0;
  before(async () => {
    receiver = await startReceiver();
    server = await startReceiver();
  });
  beforeEach(() => {
    for (const { calls, attempts } of [receiver, server]) calls.length = attempts.length = 0;
    issued = 0;
    server.delayMs = 0;
    server.answer = () => {
      good = `token-${++issued}`;
      return json({ access_token: good, token_type: "Bearer", expires_in: 3_600 });
    };
    receiver.answer = ({ headers }) => (headers.authorization === `Bearer ${good}` ? 204 : 401);
  });
  after(async () => {
    await senders.close(0);
    await receiver.close();
    await server.close();
  });

  const send = () => createAuthorizedSend(senders.send);
  const call = (auth?: ReceiverAuth): AuthorizedCall => ({
    url: receiver.url,
    headers: { "x-own": "1" },
    body: "{}",
    timeoutMs: 5_000,
    ...(auth && { auth }),
  });
  const oauth2 = (more = {}) => ({
    type: "oauth2" as const,
    tokenUrl: `${server.url}/token`,
    clientId: "me:too",
    clientSecret: SECRET,
    ...more,
  });

  it("is none, a password or a token, as registered", async () => {
    receiver.answer = () => 204;
    await send()(call());
    await send()(call({ type: "basic", username: "Aladdin", password: "öpen sesame" }));
    await send()(call({ type: "bearer", token: "abc" }));
    assert.deepEqual(
      receiver.calls.map(({ headers }) => headers.authorization),
      [undefined, `Basic ${Buffer.from("Aladdin:öpen sesame").toString("base64")}`, "Bearer abc"],
    );
    assert.ok(receiver.calls.every(({ headers }) => headers["x-own"] === "1"));
  });

  it("requests a token as RFC 6749 specifies", async () => {
    assert.equal((await send()(call(oauth2({ scope: "a b", audience: "https://api" })))).statusCode, 204);
    const [{ headers, body }] = server.calls as [Receiver["calls"][0]];
    const [user, password] = Buffer.from(headers.authorization!.slice("Basic ".length), "base64").toString().split(":");
    const decode = (text = "") => new URLSearchParams(`x=${text}`).get("x");
    assert.deepEqual([decode(user), decode(password)], ["me:too", SECRET]);
    assert.equal(headers["content-type"], "application/x-www-form-urlencoded");
    assert.deepEqual(Object.fromEntries(new URLSearchParams(body.toString())), {
      grant_type: "client_credentials",
      scope: "a b",
      audience: "https://api",
    });
  });

  it("requests one token for many concurrent calls, and keeps it", async () => {
    const shared = send();
    server.delayMs = 50;
    const results = await Promise.all(Array.from({ length: 20 }, () => shared(call(oauth2()))));
    assert.ok(results.every(({ statusCode }) => statusCode === 204));
    await shared(call(oauth2()));
    assert.equal(server.attempts.length, 1);
    await shared(call(oauth2({ scope: "other" })));
    assert.equal(server.attempts.length, 2, "another scope is another token");
  });

  it("requests a new token when a kept one is refused, once and within the attempt", async () => {
    const shared = send();
    await shared(call(oauth2()));
    good = "withdrawn by the server";
    const result = await shared(call(oauth2()));
    assert.deepEqual([result.statusCode, issued], [204, 2]);
    assert.equal(receiver.attempts.length, 3);

    receiver.answer = () => 401;
    const refused = await shared(call(oauth2()));
    assert.deepEqual([refused.statusCode, refused.error, issued], [401, "http_error", 3]);
    assert.equal(receiver.attempts.length, 5, "no third call");
    await shared(call(oauth2()));
    assert.deepEqual(
      [receiver.attempts.length, issued],
      [6, 4],
      "a new token that is refused is no reason for another",
    );
  });

  const failures: [name: string, answer: Receiver["answer"], detail: RegExp][] = [
    ["a refusal", () => json({ error: "invalid_client", error_description: SECRET }, 401), / 401 invalid_client$/],
    ["a refusal with a code of its own", () => json({ error: SECRET }, 400), / answered 400$/],
    ["an answer that is no JSON", () => ({ status: 200, body: SECRET }), /without an access token$/],
    ["an empty token", () => json({ access_token: "" }), /without an access token$/],
    ["a token that is no header value", () => json({ access_token: "a\r\nx: y" }), /without an access token$/],
    ["a token of another type", () => json({ access_token: "a", token_type: "mac" }), /no bearer token$/],
    ["an answer without end", () => json({ access_token: "a", more: "x".repeat(70_000) }), /without an access token$/],
    ["a redirect", () => ({ status: 302, headers: { location: "/" } }), / answered 302$/],
  ];
  for (const [name, answer, detail] of failures) {
    it(`is auth_error after ${name}, without a secret and without a call`, async () => {
      server.answer = answer;
      const result = await send()(call(oauth2()));
      assert.equal(result.error, "auth_error");
      assert.match(result.detail!, detail);
      assert.ok(!JSON.stringify(result).includes("hunter2"));
      assert.equal(receiver.attempts.length, 0);
    });
  }

  it("is auth_error where the token endpoint must not be called", async () => {
    const guarded = createSenders({ guard: createAddressGuard({ allow: [] }) });
    const result = await createAuthorizedSend(guarded.send)(call(oauth2()));
    assert.deepEqual(
      [result.error, result.detail],
      ["auth_error", "the token endpoint could not be asked: blocked_address"],
    );
    await guarded.close(0);
  });

  it("keeps a token for its lifetime, less a margin", async () => {
    for (const [expiresIn, fresh, stale] of [
      [3_600, 3_569_000, 3_571_000],
      [20, 9_000, 11_000],
      ["120", 89_000, 91_000],
      [undefined, 269_000, 271_000],
      [-5, 269_000, 271_000],
      [1e12, 24 * 3_600_000 - 31_000, 24 * 3_600_000 - 29_000],
    ] as const) {
      let [now, asked] = [0, 0];
      const answer = JSON.stringify({ access_token: "t", expires_in: expiresIn });
      const tokens = new Tokens({
        now: () => now,
        send: async (_call: TlsCall) => {
          asked++;
          return { statusCode: 200, responseBody: answer, durationMs: 1 };
        },
      });
      await tokens.get(oauth2());
      now = fresh;
      await tokens.get(oauth2());
      assert.equal(asked, 1, `${expiresIn} s, after ${fresh} ms`);
      now = stale;
      await tokens.get(oauth2());
      assert.equal(asked, 2, `${expiresIn} s, after ${stale} ms`);
    }
  });
});
