import assert from "node:assert/strict";
import type { LookupAddress } from "node:dns";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { BlockedAddressError, createAddressGuard } from "../../../src/uplink/egress/ssrf-guard.ts";
import fc from "../../support/property.ts";
import { v4ToNumber, v4ToText, v6ToText } from "./blocked-addresses.ts";

const guard = createAddressGuard({ allow: [] });

describe("address guard: IPv4 inside IPv6", () => {
  it("judges v4-mapped, NAT64 and ISATAP addresses by their embedded IPv4 address", () => {
    const forms: [prefix: string, carrier: string | undefined][] = [
      ["::ffff:", undefined],
      ["0:0:0:0:0:FFFF:", undefined],
      ["64:ff9b::", "NAT64, RFC 6052"],
      ["0064:FF9B:0:0:0:0:", "NAT64, RFC 6052"],
      ["2606:4700:0:1:0:5efe:", "ISATAP, RFC 5214"],
      ["2606:4700:0:1:200:5EFE:", "ISATAP, RFC 5214"],
      ["2606:4700:0:1:300:5efe:", "ISATAP, RFC 5214"],
    ];
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }), (n) => {
        const [v4, hex] = [v4ToText(n), `${(n >> 16n).toString(16)}:${(n & 0xffffn).toString(16)}`];
        const rule = guard.check(v4);
        for (const [prefix, carrier] of forms) {
          const expected = rule && carrier ? `${rule}, carried by ${carrier}` : rule;
          assert.equal(guard.check(prefix + v4), expected, prefix + v4);
          assert.equal(guard.check(prefix + hex), expected, prefix + hex);
        }
      }),
      { examples: [[v4ToNumber("127.0.0.1")], [v4ToNumber("169.254.169.254")], [v4ToNumber("8.8.8.8")]] },
    );
  });

  it("judges the prefix of an ISATAP address first", () => {
    assert.equal(guard.check("fe80::5efe:8.8.8.8"), "link-local fe80::/10, RFC 4291");
    const open = createAddressGuard({ allow: ["10.0.0.0/8"] });
    assert.equal(open.check("fe80::5efe:10.0.0.1"), "link-local fe80::/10, RFC 4291");
    assert.equal(open.check("2606:4700::5efe:10.0.0.1"), undefined);
  });

  it("refuses the tunnels whatever address they embed", () => {
    assert.equal(guard.check("2002:808:808::1"), "6to4 2002::/16, RFC 3056"); // 8.8.8.8
    assert.equal(guard.check("2001:0:4136:e378:8000:63bf:3fff:fdd2"), "Teredo 2001::/32, RFC 4380");
    assert.equal(guard.check("64:ff9b:1::808:808"), "local NAT64 64:ff9b:1::/48, RFC 8215");
  });
});

describe("address guard: the operator's networks", () => {
  it("allow the addresses in them and no others", () => {
    const v4 = fc.record({ n: fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }), bits: fc.integer({ min: 1, max: 32 }) });
    fc.assert(
      fc.property(v4, ({ n, bits }) => {
        const size = 1n << BigInt(32 - bits);
        const [first, last] = [n - (n % size), n - (n % size) + size - 1n];
        const open = createAddressGuard({ allow: [`${v4ToText(n)}/${bits}`] });
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

  it("allow IPv6 networks likewise", () => {
    const n = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n });
    fc.assert(
      fc.property(n, fc.integer({ min: 1, max: 128 }), (address, bits) => {
        const size = 1n << BigInt(128 - bits);
        const [first, last] = [address - (address % size), address - (address % size) + size - 1n];
        const open = createAddressGuard({ allow: [`${v6ToText(address)}/${bits}`] });
        assert.equal(open.check(v6ToText(address)), undefined);
        for (const outside of [first - 1n, last + 1n]) {
          if (outside < 0n || outside >= 2n ** 128n) continue;
          assert.equal(open.check(v6ToText(outside)), guard.check(v6ToText(outside)));
        }
      }),
    );
  });

  it("may be single addresses and v4-mapped networks", () => {
    assert.equal(createAddressGuard({ allow: ["127.0.0.1"] }).check("127.0.0.1"), undefined);
    assert.equal(createAddressGuard({ allow: ["::1"] }).check("0:0:0:0:0:0:0:1"), undefined);
    assert.equal(createAddressGuard({ allow: ["::ffff:10.0.0.0/104"] }).check("10.255.0.1"), undefined);
    assert.equal(
      createAddressGuard({ allow: ["::ffff:10.0.0.0/112"] }).check("10.1.0.1"),
      "private 10.0.0.0/8, RFC 1918",
    );
  });

  it("keep the families apart: ::/0 allows no IPv4, 0.0.0.0/0 no IPv6", () => {
    const v6 = createAddressGuard({ allow: ["::/0"] });
    assert.equal(v6.check("fe80::1"), undefined);
    assert.equal(v6.check("127.0.0.1"), "loopback 127.0.0.0/8, RFC 1122");
    assert.equal(v6.check("::ffff:127.0.0.1"), "loopback 127.0.0.0/8, RFC 1122");
    assert.equal(createAddressGuard({ allow: ["0.0.0.0/0"] }).check("::1"), "loopback ::1/128, RFC 4291");
  });

  it("end the start if one cannot be parsed", () => {
    for (const cidr of [
      "",
      "10.0.0.0/33",
      "10.0.0.0/",
      "10.0.0.0/-1",
      "10/8",
      "::/129",
      "host/8",
      "10.0.0.0/8/8",
      "fe80::%1/64",
    ]) {
      assert.throws(() => createAddressGuard({ allow: [cidr] }), /is not a network/, cidr);
    }
  });
});

describe("address guard: the addresses of a name", () => {
  function resolving(...addresses: string[]) {
    const calls: string[] = [];
    const found: LookupAddress[] = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    const made = createAddressGuard({
      allow: [],
      resolve(hostname, _options, callback) {
        calls.push(hostname);
        setImmediate(callback, null, found);
      },
    });
    return { ...made, calls, lookup: promisify(made.lookup) as (name: string, options: object) => Promise<unknown> };
  }

  it("are returned if allowed, in order", async () => {
    const { lookup } = resolving("10.0.0.1", "8.8.8.8", "::1", "2606:4700::1");
    assert.deepEqual(await lookup("x.example", { all: true }), [
      { address: "8.8.8.8", family: 4 },
      { address: "2606:4700::1", family: 6 },
    ]);
    assert.equal(await lookup("x.example", {}), "8.8.8.8");
  });

  it("are refused with EBLOCKED and the rule when none is allowed", async () => {
    const { lookup } = resolving("169.254.169.254", "::1");
    for (const all of [true, false]) {
      await assert.rejects(lookup("x.example", { all }), (error: BlockedAddressError) => {
        assert.ok(error instanceof BlockedAddressError);
        assert.equal(error.code, "EBLOCKED");
        assert.equal(error.rule, "link-local 169.254.0.0/16, RFC 3927");
        return true;
      });
    }
  });

  it("are not returned, and the error passed on, when the name does not resolve", async () => {
    const failure = Object.assign(new Error("no"), { code: "EAI_AGAIN" });
    const { lookup } = createAddressGuard({ allow: [], resolve: (_n, _o, done) => setImmediate(done, failure, []) });
    await assert.rejects(promisify(lookup)("x.example", { all: true }), { code: "EAI_AGAIN" });
    await assert.rejects(resolving().lookup("x.example", { all: true }), { code: "ENOTFOUND" });
  });

  it("are looked up once per name at a time", async () => {
    const { lookup, calls } = resolving("8.8.8.8");
    await Promise.all([lookup("a", { all: true }), lookup("a", { all: true }), lookup("b", { all: true })]);
    assert.deepEqual(calls, ["a", "b"]);
    await lookup("a", { all: true });
    assert.deepEqual(calls, ["a", "b", "a"]);
  });

  it("are refused at registration if all are internal, without waiting for a dead DNS server", async () => {
    const refused = await resolving("192.168.1.10").checkUrlResolved("https://printer.example/");
    assert.equal(refused?.code, "blocked_address");
    assert.match(refused?.message ?? "", /^printer\.example → 192\.168\.1\.10 is not allowed \(private 192\.168/);
    assert.equal(await resolving("192.168.1.10", "8.8.8.8").checkUrlResolved("https://x.example/"), undefined);
    assert.equal(await resolving().checkUrlResolved("https://x.example/"), undefined);
    assert.equal((await resolving().checkUrlResolved("ftp://x.example/"))?.code, "invalid_url");
    const silent = createAddressGuard({ allow: [], resolve: () => {}, resolveTimeoutMs: 5 });
    assert.equal(await silent.checkUrlResolved("https://x.example/"), undefined);
  });
});
