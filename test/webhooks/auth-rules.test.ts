import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { authErrors, caError, trustErrors } from "../../src/webhooks/auth-rules.ts";
import type { AuthInput } from "../../src/webhooks/webhook.ts";
import { makeAuthority, needsOpenssl } from "../support/certificates.ts";
import { temporaryDirectory } from "../support/directories.ts";

const oauth2 = { type: "oauth2", tokenUrl: "https://login.example.com/t", clientId: "c", clientSecret: "s" } as const;
const at = (path: string, message: string) => ({ path, message });

describe("auth", () => {
  const good: AuthInput[] = [
    { type: "basic", username: "u", password: "pä ss:word" },
    { type: "basic", username: "", password: "" },
    { type: "bearer", token: "abc.def-~+/==" },
    oauth2,
    { ...oauth2, scope: "a:b https://x/y", audience: "https://api.example.com" },
    { type: "basic", username: "ü@host", password: "" },
    { type: "bearer", token: "!~" },
    { ...oauth2, clientId: " ", clientSecret: "~ ", scope: "!", audience: " " },
  ];
  for (const auth of good) it(`accepts ${JSON.stringify(auth)}`, () => assert.deepEqual(authErrors(auth), []));

  const bad: [AuthInput, ...paths: string[]][] = [
    [{ type: "basic", username: "a:b", password: "p" }, "auth.username"],
    [{ type: "basic", username: "a", password: "line\nbreak" }, "auth.password"],
    [{ type: "bearer", token: "two words" }, "auth.token"],
    [{ type: "bearer", token: "schlüssel" }, "auth.token"],
    [{ ...oauth2, clientSecret: "s\r\nx: y" }, "auth.clientSecret"],
    [{ ...oauth2, scope: "a  b" }, "auth.scope"],
    [{ ...oauth2, scope: "" }, "auth.scope"],
    [{ ...oauth2, scope: " a" }, "auth.scope"],
    [{ ...oauth2, scope: "a " }, "auth.scope"],
    [{ ...oauth2, scope: 'a"' }, "auth.scope"],
    [{ ...oauth2, scope: "a\\" }, "auth.scope"],
    [{ ...oauth2, audience: "" }, "auth.audience"],
    [{ ...oauth2, clientId: "\u007f" }, "auth.clientId"],
    [{ type: "basic", username: "\u007f", password: "\u0085" }, "auth.username", "auth.password"],
    [{ type: "bearer", token: "" }, "auth.token"],
    [{ type: "bearer", token: "\u007f" }, "auth.token"],
    [{ type: "bearer", token: "t", scope: "s", key: "k" }, "auth.scope", "auth.key"],
    [{ type: "oauth2" }, "auth.tokenUrl", "auth.clientId", "auth.clientSecret"],
    [{ type: "mtls" }, "auth.cert", "auth.key"],
    [{ type: "mtls", cert: "x", key: "y" }, "auth.cert", "auth.key"],
  ];
  for (const [auth, ...paths] of bad) {
    it(`refuses ${JSON.stringify(auth)}`, () =>
      assert.deepEqual(
        authErrors(auth).map(({ path }) => path),
        paths,
      ));
  }

  it("names missing members and members of another type", () => {
    assert.deepEqual(authErrors({ type: "basic", username: "u", token: "t" }), [
      at("auth.password", "is required with type basic"),
      at("auth.token", "does not belong to type basic"),
    ]);
  });

  it("never repeats a value", () => {
    const everything = { username: "hunter2:", password: "hunter2\n", token: "hunter2 x", clientSecret: "hunter2\n" };
    for (const type of ["basic", "bearer", "oauth2", "mtls"] as const) {
      const errors = authErrors({ type, ...everything, cert: "hunter2", key: "hunter2" });
      assert.ok(errors.length > 0 && !JSON.stringify(errors).includes("hunter2"), type);
    }
  });
});

describe("certificates", needsOpenssl, () => {
  const authority = needsOpenssl.skip ? undefined! : makeAuthority("Test CA");
  const client = needsOpenssl.skip ? undefined! : authority.issue("client");

  it("require their own key, and may include their chain", () => {
    assert.deepEqual(authErrors({ type: "mtls", ...client }), []);
    assert.deepEqual(authErrors({ type: "mtls", cert: client.cert + authority.cert, key: client.key }), []);
    assert.deepEqual(authErrors({ type: "mtls", cert: client.cert, key: authority.key }), [
      at("auth.key", "is not the key of auth.cert"),
    ]);
    assert.deepEqual(
      authErrors({ type: "mtls", cert: client.key, key: client.cert }).map(({ path }) => path),
      ["auth.cert", "auth.key"],
    );
  });

  it("require a key without a passphrase", () => {
    const encrypted = execFileSync("openssl", ["pkey", "-aes256", "-passout", "pass:hunter2"], { input: client.key });
    assert.deepEqual(authErrors({ type: "mtls", cert: client.cert, key: encrypted.toString() }), [
      at("auth.key", "must be an unencrypted private key in PEM form"),
    ]);
  });

  it("that OpenSSL would refuse at each call are refused at once", () => {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 512 });
    const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const file = join(temporaryDirectory("weak"), "key.pem");
    writeFileSync(file, key);
    const cert = execFileSync("openssl", ["req", "-x509", "-new", "-key", file, "-subj", "/CN=weak"]).toString();
    assert.deepEqual(authErrors({ type: "mtls", cert, key }), [at("auth.cert", "is refused by OpenSSL")]);
  });

  it("of authorities may be several, without any other content", () => {
    assert.equal(caError(authority.cert), undefined);
    assert.equal(caError(`# ours\n${authority.cert}\n# theirs\n${makeAuthority("Other").cert}`), undefined);
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (const ca of ["", "nothing", authority.key, authority.cert + authority.key, authority.cert + broken]) {
      assert.match(caError(ca) ?? "", /^must contain valid certificates in PEM form/);
    }
  });
});

describe("the trust settings of a webhook", () => {
  const webhook = { url: "https://example.com/", headers: {} };
  const refused = (changes: object) => trustErrors({ ...webhook, ...changes }).map(({ path }) => path);

  it("contain only one Authorization", () => {
    const headers = { AUTHORIZATION: "x" };
    for (const auth of [{ type: "basic", username: "u", password: "p" }, { type: "bearer", token: "t" }, oauth2]) {
      assert.deepEqual(refused({ headers, auth }), ["headers.AUTHORIZATION"]);
    }
    assert.deepEqual(refused({ headers }), []);
    assert.deepEqual(refused({ auth: oauth2, headers: { "Proxy-Authorization": "x" } }), []);
    assert.deepEqual(refused({ headers, auth: { type: "mtls", cert: "", key: "" } }), []);
  });

  it("contain certificates with https only", () => {
    const url = "http://example.com/";
    assert.deepEqual(refused({ url, ca: "x", auth: { type: "mtls", cert: "", key: "" } }), ["auth.type", "ca"]);
    assert.deepEqual(refused({ url: "HTTPS://example.com/", ca: "x" }), []);
  });
});
