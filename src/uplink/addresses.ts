/** IP addresses and networks as numbers, and the table of networks a webhook may not call. Pure. */
import { isIPv4, isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";

/**
 * An address as 16-bit groups, most significant first. `v4` is the IPv4 address that a packet ends up at: the address
 * itself, or the one embedded in a form that is translated on the way. A v4-mapped address is IPv4 and nothing else.
 */
export interface Address {
  v4?: readonly number[];
  v6?: readonly number[];
}

/** A network: 2 groups for IPv4, 8 for IPv6. `masks` ends at the last group that counts. */
export interface Network {
  groups: readonly number[];
  masks: readonly number[];
  /** What it is called in a refusal, e.g. `loopback 127.0.0.0/8`. */
  rule: string;
}

/** ::ffff:0:0/96, RFC 4291 section 2.5.5.2: the operating system itself sends IPv4. */
const V4_MAPPED = [0, 0, 0, 0, 0, 0xffff];
/** 64:ff9b::/96, RFC 6052 section 2.1: a gateway sends IPv4 on. A v6-only host with DNS64 needs it. */
const NAT64 = [0x64, 0xff9b, 0, 0, 0, 0];

/** The address, or undefined when the text is none. IPv4 is strictly four decimal numbers, as `inet_pton` wants it. */
export function parseAddress(ip: string): Address | undefined {
  const groups = parseGroups(ip);
  if (groups?.length !== 8) return groups && { v4: groups };
  if (startsWith(groups, V4_MAPPED)) return { v4: groups.slice(6) };
  return startsWith(groups, NAT64) ? { v6: groups, v4: groups.slice(6) } : { v6: groups };
}

/** Reads `10.0.0.0/8`, `fd00::/8` or a single address; bits after the prefix are ignored. Throws on anything else. */
export function parseNetwork(cidr: string, name?: string): Network {
  const [ip = "", length, ...rest] = cidr.trim().split("/");
  const groups = parseGroups(ip);
  const width = groups ? groups.length * 16 : 0;
  const bits = length === undefined ? width : /^\d{1,3}$/.test(length) ? Number(length) : -1;
  if (!groups || rest.length > 0 || bits < 0 || bits > width) {
    throw new Error(`"${cidr}" is not a network such as 10.0.0.0/8 or fd00::/8`);
  }
  const rule = name === undefined ? cidr.trim() : `${name} ${cidr}`;
  // ::ffff:10.0.0.0/104 is the same network as 10.0.0.0/8, since v4-mapped addresses are compared as IPv4.
  const mapped = groups.length === 8 && startsWith(groups, V4_MAPPED) && bits >= 96;
  return mapped ? { groups: groups.slice(6), masks: masks(bits - 96), rule } : { groups, masks: masks(bits), rule };
}

function parseGroups(ip: string): number[] | undefined {
  if (isIPv4(ip)) return v4Groups(ip);
  if (!isIPv6(ip)) return undefined;
  try {
    return ipaddr.IPv6.parse(ip).parts;
  } catch {
    return undefined; // the two parsers disagree: whoever asks must refuse it
  }
}

/** Whether the network holds the address. A network never holds an address of the other family. */
export function holds(network: Network, groups: readonly number[]): boolean {
  if (network.groups.length !== groups.length) return false;
  return network.masks.every((mask, i) => (((network.groups[i] ?? 0) ^ (groups[i] ?? 0)) & mask) === 0);
}

function v4Groups(ip: string): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = ip.split(".").map(Number);
  return [a * 256 + b, c * 256 + d];
}

function startsWith(groups: readonly number[], prefix: readonly number[]): boolean {
  return prefix.every((group, i) => groups[i] === group);
}

/** 20 bits → [0xffff, 0xf000]. */
function masks(bits: number): number[] {
  return Array.from({ length: Math.ceil(bits / 16) }, (_, i) => {
    const kept = Math.min(16, bits - i * 16);
    return (0xffff << (16 - kept)) & 0xffff;
  });
}

/**
 * IANA IPv4 special-purpose registry, multicast, and the reserved rest. The few entries that are globally reachable
 * (AS112, AMT, anycast inside 192.0.0.0/24) are refused with the others: none of them can be a webhook.
 */
export const BLOCKED_V4: readonly Network[] = [
  parseNetwork("0.0.0.0/8", "this network"),
  parseNetwork("10.0.0.0/8", "private"),
  parseNetwork("100.64.0.0/10", "carrier-grade NAT"), // holds Alibaba's metadata service, 100.100.100.200
  parseNetwork("127.0.0.0/8", "loopback"),
  // A public address that answers inside Azure only, with the machine's own secrets.
  parseNetwork("168.63.129.16/32", "Azure platform service"),
  parseNetwork("169.254.0.0/16", "link-local"), // holds the clouds' metadata service, 169.254.169.254
  parseNetwork("172.16.0.0/12", "private"),
  parseNetwork("192.0.0.0/24", "IETF protocol assignments"), // holds Oracle's metadata service, 192.0.0.192
  parseNetwork("192.0.2.0/24", "documentation"),
  parseNetwork("192.31.196.0/24", "AS112"),
  parseNetwork("192.52.193.0/24", "AMT relay"),
  parseNetwork("192.88.99.0/24", "6to4 relay"),
  parseNetwork("192.168.0.0/16", "private"),
  parseNetwork("192.175.48.0/24", "AS112"),
  parseNetwork("198.18.0.0/15", "benchmarking"),
  parseNetwork("198.51.100.0/24", "documentation"),
  parseNetwork("203.0.113.0/24", "documentation"),
  parseNetwork("224.0.0.0/4", "multicast"),
  parseNetwork("255.255.255.255/32", "limited broadcast"),
  parseNetwork("240.0.0.0/4", "reserved"),
];

/** IANA IPv6 special-purpose registry and what RFC 4291 sets apart; the first that holds the address names the rule. */
export const BLOCKED_V6: readonly Network[] = [
  parseNetwork("::/128", "unspecified"),
  parseNetwork("::1/128", "loopback"),
  parseNetwork("::/96", "v4-compatible"),
  parseNetwork("::ffff:0:0:0/96", "v4-translated"),
  // Where in this prefix the IPv4 address stands is each network's own choice (RFC 8215), so it cannot be checked.
  parseNetwork("64:ff9b:1::/48", "local NAT64"),
  parseNetwork("100::/64", "discard-only"),
  parseNetwork("100:0:0:1::/64", "dummy prefix"),
  parseNetwork("2001::/32", "Teredo"),
  parseNetwork("2001:2::/48", "benchmarking"),
  parseNetwork("2001:10::/28", "ORCHID"),
  parseNetwork("2001:20::/28", "ORCHIDv2"),
  parseNetwork("2001:30::/28", "drone remote id"),
  parseNetwork("2001::/23", "IETF protocol assignments"),
  parseNetwork("2001:db8::/32", "documentation"),
  parseNetwork("2002::/16", "6to4"),
  parseNetwork("2620:4f:8000::/48", "AS112"),
  parseNetwork("3fff::/20", "documentation"),
  parseNetwork("5f00::/16", "segment routing"),
  parseNetwork("fc00::/7", "unique local"),
  parseNetwork("fe80::/10", "link-local"),
  parseNetwork("fec0::/10", "site-local"),
  parseNetwork("ff00::/8", "multicast"),
];

/** IANA hands out global unicast addresses from here alone (RFC 4291 section 2.4): everything else is refused. */
export const GLOBAL_UNICAST_V6: Network = parseNetwork("2000::/3");
