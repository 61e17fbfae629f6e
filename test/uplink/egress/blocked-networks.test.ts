import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createAddressGuard } from "../../../src/uplink/egress/ssrf-guard.ts";
import fc from "../../support/property.ts";
import { expectedRule, LAST, SPECIAL, toText } from "./blocked-addresses.ts";

const guard = createAddressGuard({ allow: [] });

describe("the table of refused networks", () => {
  for (const { cidr, rule, family, first, last } of SPECIAL) {
    it(`agrees with the registries on ${cidr}, border to border, and on its neighbours`, () => {
      assert.equal(expectedRule(family, last) === undefined, false);
      fc.assert(
        fc.property(fc.bigInt({ min: first, max: last }), (n) => {
          assert.equal(guard.check(toText(family, n)), expectedRule(family, n));
        }),
        { examples: [[first], [last]], numRuns: 50 },
      );
      // The rule itself is named, unless narrower ones fill the prefix.
      const heard = [first, last, (first + last) / 2n].map((n) => guard.check(toText(family, n)));
      assert.ok(heard.includes(rule), heard.join("; "));
      for (const outside of [first - 1n, last + 1n]) {
        if (outside < 0n || outside > LAST[family]) continue;
        assert.equal(guard.check(toText(family, outside)), expectedRule(family, outside), toText(family, outside));
      }
    });
  }

  it("agrees with the registries on any IPv4 address and any IPv6 address", () => {
    for (const family of [4, 6] as const) {
      const anywhere = fc.bigInt({ min: 0n, max: LAST[family] });
      const unicast = fc.bigInt({ min: 1n << 125n, max: (1n << 126n) - 1n });
      fc.assert(
        fc.property(family === 4 ? anywhere : fc.oneof(anywhere, unicast), (n) => {
          assert.equal(guard.check(toText(family, n)), expectedRule(family, n));
        }),
        { numRuns: 5_000 },
      );
    }
  });

  it("names the well-known single addresses", () => {
    const expected: Record<string, string> = {
      "255.255.255.255": "limited broadcast 255.255.255.255/32, RFC 919",
      "255.255.255.254": "reserved 240.0.0.0/4, RFC 1112",
      "0.0.0.0": "this host 0.0.0.0/32, RFC 1122",
      "169.254.169.254": "link-local 169.254.0.0/16, RFC 3927",
      "100.100.100.200": "carrier-grade NAT 100.64.0.0/10, RFC 6598",
      "192.0.0.192": "IETF protocol assignments 192.0.0.0/24, RFC 6890",
      "::2": "v4-compatible ::/96, RFC 4291",
      "::7f00:1": "v4-compatible ::/96, RFC 4291",
      "::ffff:0:7f00:1": "v4-translated ::ffff:0:0:0/96, RFC 2765",
      "fd00:ec2::254": "unique local fc00::/7, RFC 4193",
      "1fff::": "outside global unicast 2000::/3, RFC 4291",
      "4000::": "outside global unicast 2000::/3, RFC 4291",
    };
    for (const [ip, rule] of Object.entries(expected)) assert.equal(guard.check(ip), rule, ip);
  });

  it("allows the public internet", () => {
    for (const ip of ["1.1.1.1", "8.8.8.8", "223.255.255.255", "2606:4700:4700::1111", "2000::", "2001:200::1"]) {
      assert.equal(guard.check(ip), undefined, ip);
    }
  });

  it("refuses text that is not an address", () => {
    const texts = ["", "example.com", "127.1", "0x7f000001", "2130706433", "1.2.3.4.5", "01.2.3.4", "::g", "[::1]"];
    texts.push("127.0.0.1%lo", "127.0.0.1 ", " ::1", "::127.1", "::ffff:0x7f.0.0.1", "1::2::3");
    for (const text of texts) assert.equal(guard.check(text), "not an IP address", text);
  });

  it("judges an address with a zone id like the same address without, and refuses a zone on a global address", () => {
    assert.equal(guard.check("fe80::1%eth0"), "link-local fe80::/10, RFC 4291");
    assert.equal(guard.check("::1%1"), "loopback ::1/128, RFC 4291");
    assert.equal(guard.check("::ffff:127.0.0.1%lo"), "loopback 127.0.0.0/8, RFC 1122");
    assert.equal(guard.check("2606:4700::1%lo"), "zone id on a global address, RFC 4007");
    assert.equal(createAddressGuard({ allow: ["fe80::/10"] }).check("fe80::1%eth0"), undefined);
  });
});
