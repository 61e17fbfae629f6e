import assert from "node:assert/strict";
import type { LookupAddress } from "node:dns";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import fc from "fast-check";
import { BlockedAddressError, makeAddressGuard } from "../../src/uplink/address-guard.ts";

const guard = makeAddressGuard({ allow: [] });

/** Border addresses as numbers, worked out here with BigInt so that nothing is shared with the code under test. */
function borders(cidr: string): { family: 4 | 6; first: bigint; last: bigint } {
  const [ip = "", bits = ""] = cidr.split("/");
  const family = ip.includes(":") ? 6 : 4;
  const width = family === 4 ? 32n : 128n;
  const size = 1n << (width - BigInt(bits));
  const first = family === 4 ? v4ToNumber(ip) : v6ToNumber(ip);
  return { family, first, last: first + size - 1n };
}
const v4ToNumber = (ip: string) => ip.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n);
const v4ToText = (n: bigint) => [24n, 16n, 8n, 0n].map((shift) => (n >> shift) & 255n).join(".");
function v6ToNumber(ip: string): bigint {
  const [head = "", tail] = ip.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":").map((group) => BigInt(`0x${group}`)));
  const [left, right] = [groups(head), groups(tail ?? "")];
  const middle = tail === undefined ? [] : Array<bigint>(8 - left.length - right.length).fill(0n);
  return [...left, ...middle, ...right].reduce((sum, group) => sum * 65_536n + group, 0n);
}
/** Without `::`, which is one of many notations of the same address. */
const v6ToText = (n: bigint) =>
  [7n, 6n, 5n, 4n, 3n, 2n, 1n, 0n].map((i) => ((n >> (i * 16n)) & 0xffffn).toString(16)).join(":");
const toText = (family: 4 | 6, n: bigint) => (family === 4 ? v4ToText(n) : v6ToText(n));

/** Prefix → the rule it is refused by. `before` and `after`: whether the neighbour address is refused as well. */
const RULES: [cidr: string, rule: string, neighbours?: { before?: true; after?: true }][] = [
  ["0.0.0.0/8", "this network"],
  ["10.0.0.0/8", "private"],
  ["100.64.0.0/10", "carrier-grade NAT"],
  ["127.0.0.0/8", "loopback"],
  ["168.63.129.16/32", "Azure platform service"],
  ["169.254.0.0/16", "link-local"],
  ["172.16.0.0/12", "private"],
  ["192.0.0.0/24", "IETF protocol assignments"],
  ["192.0.2.0/24", "documentation"],
  ["192.31.196.0/24", "AS112"],
  ["192.52.193.0/24", "AMT relay"],
  ["192.88.99.0/24", "6to4 relay"],
  ["192.168.0.0/16", "private"],
  ["192.175.48.0/24", "AS112"],
  ["198.18.0.0/15", "benchmarking"],
  ["198.51.100.0/24", "documentation"],
  ["203.0.113.0/24", "documentation"],
  ["224.0.0.0/4", "multicast", { after: true }],
  ["2001::/32", "Teredo", { after: true }],
  ["2001:2::/48", "benchmarking", { before: true, after: true }],
  ["2001:10::/28", "ORCHID", { before: true, after: true }],
  ["2001:20::/28", "ORCHIDv2", { before: true, after: true }],
  ["2001:30::/28", "drone remote id", { before: true, after: true }],
  ["2001:db8::/32", "documentation"],
  ["2002::/16", "6to4"],
  ["2620:4f:8000::/48", "AS112"],
  ["3fff::/20", "documentation"],
  ["64:ff9b:1::/48", "local NAT64", { before: true, after: true }],
  ["100::/64", "discard-only", { before: true, after: true }],
  ["100:0:0:1::/64", "dummy prefix", { before: true, after: true }],
  ["5f00::/16", "segment routing", { before: true, after: true }],
  ["fc00::/7", "unique local", { before: true, after: true }],
  ["fe80::/10", "link-local", { before: true, after: true }],
  ["fec0::/10", "site-local", { before: true, after: true }],
  ["ff00::/8", "multicast", { before: true }],
];

describe("address guard: the table of refused networks", () => {
  for (const [cidr, name, neighbours = {}] of RULES) {
    it(`${cidr} is refused as ${name}, border to border`, () => {
      const { family, first, last } = borders(cidr);
      const rule = `${name} ${cidr}`;
      fc.assert(
        fc.property(fc.bigInt({ min: first, max: last }), (n) => {
          assert.equal(guard.check(toText(family, n)), rule);
        }),
        { examples: [[first], [last]], numRuns: 50 },
      );
      const max = family === 4 ? 2n ** 32n - 1n : 2n ** 128n - 1n;
      if (first > 0n) assert.equal(guard.check(toText(family, first - 1n)) !== undefined, neighbours.before === true);
      if (last < max) assert.equal(guard.check(toText(family, last + 1n)) !== undefined, neighbours.after === true);
    });
  }

  it("names the well-known single addresses", () => {
    const expected: Record<string, string> = {
      "255.255.255.255": "limited broadcast 255.255.255.255/32",
      "255.255.255.254": "reserved 240.0.0.0/4",
      "240.0.0.0": "reserved 240.0.0.0/4",
      "169.254.169.254": "link-local 169.254.0.0/16",
      "100.100.100.200": "carrier-grade NAT 100.64.0.0/10",
      "::": "unspecified ::/128",
      "::1": "loopback ::1/128",
      "::2": "v4-compatible ::/96",
      "::7f00:1": "v4-compatible ::/96",
      "::ffff:0:7f00:1": "v4-translated ::ffff:0:0:0/96",
      "fd00:ec2::254": "unique local fc00::/7",
      "2001:1ff:ffff::": "IETF protocol assignments 2001::/23",
      "1fff::": "outside global unicast 2000::/3",
      "4000::": "outside global unicast 2000::/3",
    };
    for (const [ip, rule] of Object.entries(expected)) assert.equal(guard.check(ip), rule, ip);
  });

  it("lets the public internet pass", () => {
    for (const ip of ["1.1.1.1", "8.8.8.8", "223.255.255.255", "2606:4700:4700::1111", "2000::", "2001:200::1"]) {
      assert.equal(guard.check(ip), undefined, ip);
    }
  });

  it("refuses what is no address", () => {
    for (const ip of [
      "",
      "example.com",
      "127.1",
      "0x7f000001",
      "2130706433",
      "1.2.3.4.5",
      "01.2.3.4",
      "::g",
      "[::1]",
    ]) {
      assert.equal(guard.check(ip), "not an IP address", ip);
    }
  });
});

describe("address guard: IPv4 inside IPv6", () => {
  it("judges v4-mapped and NAT64 addresses as the IPv4 address in them", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }), (n) => {
        const [v4, hex] = [v4ToText(n), `${(n >> 16n).toString(16)}:${(n & 0xffffn).toString(16)}`];
        const rule = guard.check(v4);
        for (const prefix of ["::ffff:", "0:0:0:0:0:FFFF:", "64:ff9b::", "0064:FF9B:0:0:0:0:"]) {
          assert.equal(guard.check(prefix + v4), rule, prefix + v4);
          assert.equal(guard.check(prefix + hex), rule, prefix + hex);
        }
      }),
      { examples: [[v4ToNumber("127.0.0.1")], [v4ToNumber("169.254.169.254")], [v4ToNumber("8.8.8.8")]] },
    );
  });

  it("refuses the tunnels whatever they hold", () => {
    assert.equal(guard.check("2002:808:808::1"), "6to4 2002::/16"); // 8.8.8.8
    assert.equal(guard.check("2001:0:4136:e378:8000:63bf:3fff:fdd2"), "Teredo 2001::/32");
    assert.equal(guard.check("64:ff9b:1::808:808"), "local NAT64 64:ff9b:1::/48");
  });
});

describe("address guard: the operator's networks", () => {
  it("opens what they hold and nothing beside it", () => {
    const v4 = fc.record({ n: fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }), bits: fc.integer({ min: 1, max: 32 }) });
    fc.assert(
      fc.property(v4, ({ n, bits }) => {
        const size = 1n << BigInt(32 - bits);
        const [first, last] = [n - (n % size), n - (n % size) + size - 1n];
        const open = makeAddressGuard({ allow: [`${v4ToText(n)}/${bits}`] });
        for (const inside of [first, n, last]) {
          for (const prefix of ["", "::ffff:", "64:ff9b::"]) {
            assert.equal(open.check(prefix + v4ToText(inside)), undefined);
          }
        }
        for (const outside of [first - 1n, last + 1n]) {
          if (outside < 0n || outside >= 2n ** 32n) continue;
          assert.equal(open.check(v4ToText(outside)), guard.check(v4ToText(outside)));
        }
      }),
    );
  });

  it("opens IPv6 networks likewise", () => {
    const n = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n });
    fc.assert(
      fc.property(n, fc.integer({ min: 1, max: 128 }), (address, bits) => {
        const size = 1n << BigInt(128 - bits);
        const [first, last] = [address - (address % size), address - (address % size) + size - 1n];
        const open = makeAddressGuard({ allow: [`${v6ToText(address)}/${bits}`] });
        assert.equal(open.check(v6ToText(address)), undefined);
        for (const outside of [first - 1n, last + 1n]) {
          if (outside < 0n || outside >= 2n ** 128n) continue;
          assert.equal(open.check(v6ToText(outside)), guard.check(v6ToText(outside)));
        }
      }),
    );
  });

  it("takes single addresses and v4-mapped networks", () => {
    assert.equal(makeAddressGuard({ allow: ["127.0.0.1"] }).check("127.0.0.1"), undefined);
    assert.equal(makeAddressGuard({ allow: ["::1"] }).check("0:0:0:0:0:0:0:1"), undefined);
    assert.equal(makeAddressGuard({ allow: ["::ffff:10.0.0.0/104"] }).check("10.255.0.1"), undefined);
    assert.equal(makeAddressGuard({ allow: ["::ffff:10.0.0.0/112"] }).check("10.1.0.1"), "private 10.0.0.0/8");
  });

  it("keeps the families apart: ::/0 opens no IPv4, 0.0.0.0/0 no IPv6", () => {
    const v6 = makeAddressGuard({ allow: ["::/0"] });
    assert.equal(v6.check("fe80::1"), undefined);
    assert.equal(v6.check("127.0.0.1"), "loopback 127.0.0.0/8");
    assert.equal(v6.check("::ffff:127.0.0.1"), "loopback 127.0.0.0/8");
    assert.equal(makeAddressGuard({ allow: ["0.0.0.0/0"] }).check("::1"), "loopback ::1/128");
  });

  it("refuses to start with a network it cannot read", () => {
    for (const cidr of ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10/8", "::/129", "host/8", "10.0.0.0/8/8"]) {
      assert.throws(() => makeAddressGuard({ allow: [cidr] }), /is not a network/, cidr);
    }
  });
});

describe("address guard: a webhook's URL at registration", () => {
  const codeOf = (url: string) => guard.checkUrl(url)?.code;

  it("says which rule refused it, and what opens it", () => {
    assert.deepEqual(guard.checkUrl("http://10.1.2.3:8080/hook"), {
      code: "blocked_address",
      message:
        "10.1.2.3 is not allowed (private 10.0.0.0/8): webhooks may call globally reachable addresses only, WEBHOOK_ALLOW_NETWORKS opens others",
    });
  });

  it("accepts ordinary ones", () => {
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

  it("refuses what is not a plain http(s) URL", () => {
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
    ]) {
      assert.equal(codeOf(url), "invalid_url", url);
    }
  });

  it("sees loopback in every notation", () => {
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
      "[::1]",
      "[0:0:0:0:0:0:0:1]",
      "[::ffff:127.0.0.1]",
      "[::ffff:7f00:1]",
      "[::FFFF:7F00:0001]",
      "[64:ff9b::127.0.0.1]",
      "localhost",
      "LOCALHOST",
      "localhost.",
      "foo.localhost",
      "foo.bar.LocalHost.",
      "ⓛocalhost",
      "0",
      "[::]",
    ]) {
      assert.equal(codeOf(`http://${host}:8080/`), "blocked_address", host);
      assert.equal(codeOf(`http://${host}/`), "blocked_address", host);
    }
  });

  it("sees any IPv4 address in any mix of decimal, octal, hexadecimal and short forms", () => {
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

  it("opens localhost with loopback", () => {
    const open = makeAddressGuard({ allow: ["127.0.0.0/8"] });
    for (const host of ["localhost:3000", "a.localhost", "127.0.0.1", "[::ffff:127.0.0.1]"]) {
      assert.equal(open.checkUrl(`http://${host}/`), undefined, host);
    }
    assert.equal(open.checkUrl("http://[::1]/")?.code, "blocked_address");
  });

  it("never throws", () => {
    fc.assert(fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.webUrl()), (url) => void guard.checkUrl(url)));
    fc.assert(fc.property(fc.string({ unit: "binary" }), (rest) => void guard.checkUrl(`http://${rest}`)));
  });
});

describe("address guard: what a name resolves to", () => {
  function resolving(...addresses: string[]) {
    const calls: string[] = [];
    const found: LookupAddress[] = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    const made = makeAddressGuard({
      allow: [],
      resolve(hostname, _options, callback) {
        calls.push(hostname);
        setImmediate(callback, null, found);
      },
    });
    return { ...made, calls, lookup: promisify(made.lookup) as (name: string, options: object) => Promise<unknown> };
  }

  it("yields the allowed addresses, in order", async () => {
    const { lookup } = resolving("10.0.0.1", "8.8.8.8", "::1", "2606:4700::1");
    assert.deepEqual(await lookup("x.example", { all: true }), [
      { address: "8.8.8.8", family: 4 },
      { address: "2606:4700::1", family: 6 },
    ]);
    assert.equal(await lookup("x.example", {}), "8.8.8.8");
  });

  it("fails with EBLOCKED and the rule when none is allowed", async () => {
    const { lookup } = resolving("169.254.169.254", "::1");
    for (const all of [true, false]) {
      await assert.rejects(lookup("x.example", { all }), (error: BlockedAddressError) => {
        assert.ok(error instanceof BlockedAddressError);
        assert.equal(error.code, "EBLOCKED");
        assert.equal(error.rule, "link-local 169.254.0.0/16");
        return true;
      });
    }
  });

  it("passes on that a name does not resolve", async () => {
    const failure = Object.assign(new Error("no"), { code: "EAI_AGAIN" });
    const { lookup } = makeAddressGuard({ allow: [], resolve: (_n, _o, done) => setImmediate(done, failure, []) });
    await assert.rejects(promisify(lookup)("x.example", { all: true }), { code: "EAI_AGAIN" });
    await assert.rejects(resolving().lookup("x.example", { all: true }), { code: "ENOTFOUND" });
  });

  it("asks once for one name at a time", async () => {
    const { lookup, calls } = resolving("8.8.8.8");
    await Promise.all([lookup("a", { all: true }), lookup("a", { all: true }), lookup("b", { all: true })]);
    assert.deepEqual(calls, ["a", "b"]);
    await lookup("a", { all: true });
    assert.deepEqual(calls, ["a", "b", "a"]);
  });

  it("refuses at registration a name that leads inside only, and waits for no dead DNS server", async () => {
    const refused = await resolving("192.168.1.10").checkUrlResolved("https://printer.example/");
    assert.equal(refused?.code, "blocked_address");
    assert.match(refused?.message ?? "", /^printer\.example → 192\.168\.1\.10 is not allowed \(private 192\.168/);
    assert.equal(await resolving("192.168.1.10", "8.8.8.8").checkUrlResolved("https://x.example/"), undefined);
    assert.equal(await resolving().checkUrlResolved("https://x.example/"), undefined);
    assert.equal((await resolving().checkUrlResolved("ftp://x.example/"))?.code, "invalid_url");
    const silent = makeAddressGuard({ allow: [], resolve: () => {}, resolveTimeoutMs: 5 });
    assert.equal(await silent.checkUrlResolved("https://x.example/"), undefined);
  });
});
