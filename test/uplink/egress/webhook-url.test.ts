import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createAddressGuard } from "../../../src/uplink/egress/ssrf-guard.ts";
import fc, { codePoint } from "../../support/property.ts";
import { v4ToNumber, v4ToText } from "./blocked-addresses.ts";

const guard = createAddressGuard({ allow: [] });

describe("a webhook's URL at registration", () => {
  const codeOf = (url: string) => guard.checkUrl(url)?.code;

  it("names the rule that refused it, and the setting that allows it", () => {
    assert.deepEqual(guard.checkUrl("http://10.1.2.3:8080/hook"), {
      code: "blocked_address",
      message:
        "10.1.2.3 is not allowed (private 10.0.0.0/8, RFC 1918): webhooks may call globally reachable addresses only, WEBHOOK_ALLOW_NETWORKS opens others",
    });
  });

  it("may be an ordinary one", () => {
    for (const url of [
      "https://example.com",
      "http://example.com:8080/a/b?c=d",
      "HTTPS://EXAMPLE.COM/",
      "https://bücher.example/ümlaut?q=ß",
      "http://receiver/hook",
      "http://8.8.8.8/",
      "http://[2606:4700::1111]:8443/",
      "https://notlocalhost/",
      "https://localhost.example.com/",
      "https://example.com./",
    ]) {
      assert.equal(guard.checkUrl(url), undefined, url);
    }
  });

  it("must be a plain http(s) URL", () => {
    for (const url of [
      "",
      "example.com",
      "ftp://example.com/",
      "file:///etc/passwd",
      "javascript:alert(1)",
      "//example.com/",
      "http:example.com",
      "http:/example.com",
      "http://",
      "http:///",
      "http://:80/",
      "http://user@example.com/",
      "http://user:secret@example.com/",
      "http://:secret@example.com/",
      "http://example.com/#fragment",
      "http://example.com/#",
      "http://example.com:0/",
      "http://example.com:65536/",
      " http://example.com/",
      "http://exa\tmple.com/",
      "http://example.com/\r\nx: y",
      "http://example.com/a b",
      "http://a..b/",
      "http://.example.com/",
      "http://999.1.1.1/",
      "http://1.2.3.4.5/",
      "http://[::1/",
      "http://[fe80::1%25eth0]/",
      "http://[fe80::1%eth0]/",
      "http://[::1].:80/",
      "http://[::127.1]/",
      "http://%5b::1%5d/",
      "http://127.0.0.1../",
      "http://127.0.0.1%00/",
      "http://foo.127/",
      "http://foo.0x7f/",
      "http://4294967296/",
      "http://example.com@127.0.0.1/",
      "http:\\\\127.0.0.1/",
    ]) {
      assert.equal(codeOf(url), "invalid_url", url);
    }
  });

  it("is recognised as loopback in every notation", () => {
    for (const host of [
      "127.0.0.1",
      "127.0.0.1.",
      "127.1",
      "127.0.1",
      "2130706433",
      "0x7f000001",
      "0x7f.0.0.1",
      "0177.0.0.1",
      "017700000001",
      "0x7f.1",
      "%31%32%37.0.0.1",
      "１２７.0.0.1",
      "127。0。0。1",
      "①②⑦.0.0.1",
      "𝟏𝟐𝟕.0.0.1",
      "127\u200b.0.0.1",
      "127.0.0.1%2e",
      "0x7f.0x0.0x0.0x1.",
      "0x",
      "[::1]",
      "[0:0:0:0:0:0:0:1]",
      "[::ffff:127.0.0.1]",
      "[::ffff:7f00:1]",
      "[::FFFF:7F00:0001]",
      "[64:ff9b::127.0.0.1]",
      "[64:ff9b:1::127.0.0.1]",
      "[::127.0.0.1]",
      "[2002:7f00:1::]",
      "[2606:4700::5efe:127.0.0.1]",
      "localhost",
      "LOCALHOST",
      "localhost.",
      "foo.localhost",
      "foo.bar.LocalHost.",
      "localhost%2e",
      "ⓛocalhost",
      "0",
      "[::]",
    ]) {
      assert.equal(codeOf(`http://${host}:8080/`), "blocked_address", host);
      assert.equal(codeOf(`http://${host}/`), "blocked_address", host);
    }
  });

  it("is recognised as IPv4 in any mix of decimal, octal, hexadecimal and short forms", () => {
    const radix = fc.constantFrom(
      (n: bigint) => n.toString(),
      (n: bigint) => `0${n.toString(8)}`,
      (n: bigint) => `0x${n.toString(16)}`,
      (n: bigint) => `0X000${n.toString(16).toUpperCase()}`,
    );
    const parts = fc.integer({ min: 1, max: 4 });
    const address = fc.oneof(
      fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }),
      fc.constantFrom(...["10.0.0.1", "127.0.0.1", "169.254.169.254", "192.168.1.1", "8.8.8.8"].map(v4ToNumber)),
    );
    fc.assert(
      fc.property(address, parts, fc.array(radix, { minLength: 4, maxLength: 4 }), (n, count, radixes) => {
        const lead = [24n, 16n, 8n].slice(0, count - 1);
        const rest = n & ((1n << BigInt(8 * (5 - count))) - 1n);
        const numbers = [...lead.map((shift) => (n >> shift) & 255n), rest];
        const host = numbers.map((number, i) => radixes[i]!(number)).join(".");
        const refused = guard.check(v4ToText(n)) !== undefined;
        assert.equal(codeOf(`http://${host}/`), refused ? "blocked_address" : undefined, host);
      }),
    );
  });

  it("allows localhost together with loopback", () => {
    const open = createAddressGuard({ allow: ["127.0.0.0/8"] });
    for (const host of ["localhost:3000", "a.localhost", "127.0.0.1", "[::ffff:127.0.0.1]"]) {
      assert.equal(open.checkUrl(`http://${host}/`), undefined, host);
    }
    assert.equal(open.checkUrl("http://[::1]/")?.code, "blocked_address");
  });

  it("never makes the check throw", () => {
    fc.assert(fc.property(fc.oneof(fc.string({ unit: codePoint }), fc.webUrl()), (url) => void guard.checkUrl(url)));
    fc.assert(fc.property(fc.string({ unit: codePoint }), (rest) => void guard.checkUrl(`http://${rest}`)));
  });
});
