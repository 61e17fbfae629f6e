/** IP addresses and networks, as ipaddr.js represents them. Pure. */
import { isIPv4, isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";

export type Ip = ipaddr.IPv4 | ipaddr.IPv6;

export interface Address {
  ip: Ip;
  /** IPv4 address to which packets for this IPv6 address are forwarded, and the mechanism that forwards them. */
  carried?: { v4: ipaddr.IPv4; by: string };
}

/** A network: an address and the length of the prefix in bits. */
export type Network = readonly [ip: Ip, bits: number];

/** A gateway translates to IPv4. An IPv6-only host with DNS64 needs it. */
const NAT64: Network = [ipaddr.IPv6.parse("64:ff9b::"), 96];
/** Excludes the u and g bits of an interface identifier, which ISATAP leaves open. */
const NOT_U_NOR_G = 0xfcff;

/**
 * Parses an IP address; undefined when the text is none. IPv4 must be four decimal numbers, as for `inet_pton`.
 * A v4-mapped address becomes plain IPv4 (RFC 4291 section 2.5.5.2): the operating system sends IPv4. A zone id
 * (`%eth0`) is dropped.
 */
export function parseAddress(text: string): Address | undefined {
  const ip = parseIp(text);
  if (!(ip instanceof ipaddr.IPv6)) return ip && { ip };
  if (ip.isIPv4MappedAddress()) return { ip: ip.toIPv4Address() };
  const v4 = new ipaddr.IPv4(ip.toByteArray().slice(12));
  if (holds(NAT64, ip)) return { ip, carried: { v4, by: "NAT64, RFC 6052" } };
  const [, , , , group = 0, next] = ip.parts;
  const isIsatap = next === 0x5efe && (group & NOT_U_NOR_G) === 0;
  return isIsatap ? { ip, carried: { v4, by: "ISATAP, RFC 5214" } } : { ip };
}

/** Parses `10.0.0.0/8`, `fd00::/8` or a single address; bits after the prefix are ignored. Throws on anything else. */
export function parseNetwork(cidr: string): Network {
  const [text = "", length, ...rest] = cidr.trim().split("/");
  const ip = text.includes("%") ? undefined : parseIp(text); // a zone could not be enforced
  const width = ip ? ip.toByteArray().length * 8 : 0;
  const bits = length === undefined ? width : /^\d{1,3}$/.test(length) ? Number(length) : -1;
  if (!ip || rest.length > 0 || bits < 0 || bits > width) {
    throw new Error(`"${cidr}" is not a network such as 10.0.0.0/8 or fd00::/8`);
  }
  // ::ffff:10.0.0.0/104 is the same network as 10.0.0.0/8, since v4-mapped addresses are compared as IPv4.
  const isMapped = ip instanceof ipaddr.IPv6 && ip.isIPv4MappedAddress() && bits >= 96;
  return isMapped ? [ip.toIPv4Address(), bits - 96] : [ip, bits];
}

/** Checks whether the network contains the address. A network never contains an address of the other family. */
export function holds([network, bits]: Network, ip: Ip): boolean {
  return network.kind() === ip.kind() && ip.match(network as ipaddr.IPv4 & ipaddr.IPv6, bits);
}

/** ipaddr.js alone accepts more, such as octal and shortened IPv4 addresses. */
function parseIp(text: string): Ip | undefined {
  if (isIPv4(text)) return ipaddr.IPv4.parse(text);
  if (!isIPv6(text)) return undefined;
  try {
    return ipaddr.IPv6.parse(text);
  } catch {
    return undefined; // the two parsers disagree: the caller must refuse the address
  }
}
