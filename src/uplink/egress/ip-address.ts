/** IP addresses and networks as numbers. Pure. */
import { isIPv4, isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";

/** An IP address as 16-bit groups, most significant first: 2 for IPv4, 8 for IPv6. */
export interface Address {
  groups: readonly number[];
  /** IPv4 address to which packets for this IPv6 address are forwarded, and the mechanism that forwards them. */
  carried?: { v4: readonly number[]; by: string };
}

/** A network: 2 groups for IPv4, 8 for IPv6. `masks` ends at the last group of the prefix. */
export interface Network {
  groups: readonly number[];
  masks: readonly number[];
}

/** ::ffff:0:0/96, RFC 4291 section 2.5.5.2: the operating system sends IPv4. */
const V4_MAPPED = [0, 0, 0, 0, 0, 0xffff];
/** 64:ff9b::/96: a gateway translates to IPv4. An IPv6-only host with DNS64 needs it. */
const NAT64 = [0x64, 0xff9b, 0, 0, 0, 0];
/** Excludes the u and g bits of an interface identifier, which ISATAP leaves open. */
const NOT_U_NOR_G = 0xfcff;

/**
 * Parses an IP address; undefined when the text is none. IPv4 must be four decimal numbers, as for `inet_pton`.
 * A v4-mapped address becomes plain IPv4. A zone id (`%eth0`) is dropped.
 */
export function parseAddress(ip: string): Address | undefined {
  const groups = parseGroups(ip);
  if (groups?.length !== 8) return groups && { groups };
  const v4 = groups.slice(6);
  if (startsWith(groups, V4_MAPPED)) return { groups: v4 };
  if (startsWith(groups, NAT64)) return { groups, carried: { v4, by: "NAT64, RFC 6052" } };
  const isatap = groups[5] === 0x5efe && ((groups[4] ?? 0) & NOT_U_NOR_G) === 0;
  return isatap ? { groups, carried: { v4, by: "ISATAP, RFC 5214" } } : { groups };
}

/** Parses `10.0.0.0/8`, `fd00::/8` or a single address; bits after the prefix are ignored. Throws on anything else. */
export function parseNetwork(cidr: string): Network {
  const [ip = "", length, ...rest] = cidr.trim().split("/");
  const groups = ip.includes("%") ? undefined : parseGroups(ip); // a zone could not be enforced
  const width = groups ? groups.length * 16 : 0;
  const bits = length === undefined ? width : /^\d{1,3}$/.test(length) ? Number(length) : -1;
  if (!groups || rest.length > 0 || bits < 0 || bits > width) {
    throw new Error(`"${cidr}" is not a network such as 10.0.0.0/8 or fd00::/8`);
  }
  // ::ffff:10.0.0.0/104 is the same network as 10.0.0.0/8, since v4-mapped addresses are compared as IPv4.
  const mapped = groups.length === 8 && startsWith(groups, V4_MAPPED) && bits >= 96;
  return mapped ? { groups: groups.slice(6), masks: masks(bits - 96) } : { groups, masks: masks(bits) };
}

function parseGroups(ip: string): number[] | undefined {
  if (isIPv4(ip)) return v4Groups(ip);
  if (!isIPv6(ip)) return undefined;
  try {
    return ipaddr.IPv6.parse(ip).parts;
  } catch {
    return undefined; // the two parsers disagree: the caller must refuse the address
  }
}

/** Checks whether the network contains the address. A network never contains an address of the other family. */
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
