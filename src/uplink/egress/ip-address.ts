/** IP addresses and networks as numbers. Pure. */
import { isIPv4, isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";

/** An IP address as 16-bit groups, most significant first: 2 for IPv4, 8 for IPv6. */
export interface Address {
  groups: readonly number[];
  /** The IPv4 address that packets to this IPv6 address are sent on to, and the mechanism that does it. */
  carried?: { v4: readonly number[]; by: string };
}

/** A network: 2 groups for IPv4, 8 for IPv6. `masks` ends at the last group that counts. */
export interface Network {
  groups: readonly number[];
  masks: readonly number[];
}

/** ::ffff:0:0/96, RFC 4291 section 2.5.5.2: the operating system itself sends IPv4. */
const V4_MAPPED = [0, 0, 0, 0, 0, 0xffff];
/** 64:ff9b::/96: a gateway sends IPv4 on. A v6-only host with DNS64 needs it. */
const NAT64 = [0x64, 0xff9b, 0, 0, 0, 0];
/** The u and g bits of an interface identifier, which ISATAP leaves open. */
const NOT_U_NOR_G = 0xfcff;

/**
 * The address, or undefined when the text is none. IPv4 is strictly four decimal numbers, as `inet_pton` wants it.
 * A v4-mapped address is IPv4 and nothing else. A zone id (`%eth0`) is left out.
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

/** Reads `10.0.0.0/8`, `fd00::/8` or a single address; bits after the prefix are ignored. Throws on anything else. */
export function parseNetwork(cidr: string): Network {
  const [ip = "", length, ...rest] = cidr.trim().split("/");
  const groups = ip.includes("%") ? undefined : parseGroups(ip); // a zone could not be held to
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
