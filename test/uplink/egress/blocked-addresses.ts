/**
 * Addresses that webhooks must not call, written a second time, and addresses as numbers. Computed with BigInt, so that
 * nothing is shared with the code under test.
 */

export type Family = 4 | 6;

/** The IANA special-purpose registries, multicast and further ranges: prefix, and the rule as a refusal names it. */
const PREFIXES: Record<string, string> = {
  "0.0.0.0/8": "this network 0.0.0.0/8, RFC 791",
  "0.0.0.0/32": "this host 0.0.0.0/32, RFC 1122",
  "10.0.0.0/8": "private 10.0.0.0/8, RFC 1918",
  "100.64.0.0/10": "carrier-grade NAT 100.64.0.0/10, RFC 6598",
  "127.0.0.0/8": "loopback 127.0.0.0/8, RFC 1122",
  "168.63.129.16/32": "Azure platform service 168.63.129.16/32",
  "169.254.0.0/16": "link-local 169.254.0.0/16, RFC 3927",
  "172.16.0.0/12": "private 172.16.0.0/12, RFC 1918",
  "192.0.0.0/24": "IETF protocol assignments 192.0.0.0/24, RFC 6890",
  "192.0.0.0/29": "IPv4 service continuity 192.0.0.0/29, RFC 7335",
  "192.0.0.8/32": "dummy address 192.0.0.8/32, RFC 7600",
  "192.0.0.9/32": "PCP anycast 192.0.0.9/32, RFC 7723",
  "192.0.0.10/32": "TURN anycast 192.0.0.10/32, RFC 8155",
  "192.0.0.170/31": "NAT64 discovery 192.0.0.170/31, RFC 7050",
  "192.0.2.0/24": "documentation 192.0.2.0/24, RFC 5737",
  "192.31.196.0/24": "AS112 192.31.196.0/24, RFC 7535",
  "192.52.193.0/24": "AMT 192.52.193.0/24, RFC 7450",
  "192.88.99.0/24": "6to4 relay 192.88.99.0/24, RFC 7526",
  "192.88.99.2/32": "6a44 relay 192.88.99.2/32, RFC 6751",
  "192.168.0.0/16": "private 192.168.0.0/16, RFC 1918",
  "192.175.48.0/24": "AS112 192.175.48.0/24, RFC 7534",
  "198.18.0.0/15": "benchmarking 198.18.0.0/15, RFC 2544",
  "198.51.100.0/24": "documentation 198.51.100.0/24, RFC 5737",
  "203.0.113.0/24": "documentation 203.0.113.0/24, RFC 5737",
  "224.0.0.0/4": "multicast 224.0.0.0/4, RFC 5771",
  "240.0.0.0/4": "reserved 240.0.0.0/4, RFC 1112",
  "255.255.255.255/32": "limited broadcast 255.255.255.255/32, RFC 919",
  "::/128": "unspecified ::/128, RFC 4291",
  "::1/128": "loopback ::1/128, RFC 4291",
  "::/96": "v4-compatible ::/96, RFC 4291",
  "::ffff:0:0:0/96": "v4-translated ::ffff:0:0:0/96, RFC 2765",
  "64:ff9b:1::/48": "local NAT64 64:ff9b:1::/48, RFC 8215",
  "100::/64": "discard-only 100::/64, RFC 6666",
  "100:0:0:1::/64": "dummy prefix 100:0:0:1::/64, RFC 9780",
  "2001::/23": "IETF protocol assignments 2001::/23, RFC 2928",
  "2001::/32": "Teredo 2001::/32, RFC 4380",
  "2001:1::1/128": "PCP anycast 2001:1::1/128, RFC 7723",
  "2001:1::2/128": "TURN anycast 2001:1::2/128, RFC 8155",
  "2001:1::3/128": "DNS-SD SRP anycast 2001:1::3/128, RFC 9665",
  "2001:2::/48": "benchmarking 2001:2::/48, RFC 5180",
  "2001:3::/32": "AMT 2001:3::/32, RFC 7450",
  "2001:4:112::/48": "AS112 2001:4:112::/48, RFC 7535",
  "2001:10::/28": "ORCHID 2001:10::/28, RFC 4843",
  "2001:20::/28": "ORCHIDv2 2001:20::/28, RFC 7343",
  "2001:30::/28": "drone remote id 2001:30::/28, RFC 9374",
  "2001:db8::/32": "documentation 2001:db8::/32, RFC 3849",
  "2002::/16": "6to4 2002::/16, RFC 3056",
  "2620:4f:8000::/48": "AS112 2620:4f:8000::/48, RFC 7534",
  "3fff::/20": "documentation 3fff::/20, RFC 9637",
  "5f00::/16": "segment routing 5f00::/16, RFC 9602",
  "fc00::/7": "unique local fc00::/7, RFC 4193",
  "fe80::/10": "link-local fe80::/10, RFC 4291",
  "fec0::/10": "site-local fec0::/10, RFC 3879",
  "ff00::/8": "multicast ff00::/8, RFC 4291",
};

export interface Special {
  cidr: string;
  rule: string;
  family: Family;
  first: bigint;
  last: bigint;
}

export const SPECIAL: readonly Special[] = Object.entries(PREFIXES).map(([cidr, rule]) => {
  const [ip = "", bits = ""] = cidr.split("/");
  const family = ip.includes(":") ? 6 : 4;
  const first = family === 4 ? v4ToNumber(ip) : v6ToNumber(ip);
  const width = family === 4 ? 32n : 128n;
  return { cidr, rule, family, first, last: first + (1n << (width - BigInt(bits))) - 1n };
});

export const LAST: Record<Family, bigint> = { 4: 2n ** 32n - 1n, 6: 2n ** 128n - 1n };

/**
 * Returns the rule that refuses an address: the narrowest prefix around it. Not for addresses that embed an IPv4
 * address.
 */
export function expectedRule(family: Family, n: bigint): string | undefined {
  const around = SPECIAL.filter((each) => each.family === family && each.first <= n && n <= each.last);
  const [narrowest] = around.sort((a, b) => (a.last - a.first < b.last - b.first ? -1 : 1));
  if (narrowest || family === 4) return narrowest?.rule;
  return n >> 125n === 1n ? undefined : "outside global unicast 2000::/3, RFC 4291";
}

export function v4ToNumber(ip: string): bigint {
  return ip.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n);
}

export function v4ToText(n: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (n >> shift) & 255n).join(".");
}

export function v6ToNumber(ip: string): bigint {
  const [head = "", tail] = ip.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":").map((group) => BigInt(`0x${group}`)));
  const [left, right] = [groups(head), groups(tail ?? "")];
  const middle = tail === undefined ? [] : Array<bigint>(8 - left.length - right.length).fill(0n);
  return [...left, ...middle, ...right].reduce((sum, group) => sum * 65_536n + group, 0n);
}

/** Omits `::`, which is only one of many notations of the same address. */
export function v6ToText(n: bigint): string {
  return [7n, 6n, 5n, 4n, 3n, 2n, 1n, 0n].map((i) => ((n >> (i * 16n)) & 0xffffn).toString(16)).join(":");
}

export function toText(family: Family, n: bigint): string {
  return family === 4 ? v4ToText(n) : v6ToText(n);
}
