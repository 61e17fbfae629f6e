/**
 * Networks that a webhook must not call: both IANA special-purpose address registries, multicast, and other networks
 * that must not be reached from outside. A nested network precedes the wider one, since the first match names the rule.
 *
 * The few globally reachable entries (AS112, AMT, the anycast addresses) are refused too: none can be a webhook.
 */
import { holds, type Ip, parseNetwork } from "./ip-address.ts";

type NamedNetwork = readonly [cidr: string, name: string, reference?: string];

const V4: readonly NamedNetwork[] = [
  ["0.0.0.0/32", "this host", "RFC 1122"],
  ["0.0.0.0/8", "this network", "RFC 791"],
  ["10.0.0.0/8", "private", "RFC 1918"],
  ["100.64.0.0/10", "carrier-grade NAT", "RFC 6598"], // includes Alibaba's metadata service, 100.100.100.200
  ["127.0.0.0/8", "loopback", "RFC 1122"],
  // A public address that responds only inside Azure, with the machine's secrets.
  ["168.63.129.16/32", "Azure platform service"],
  ["169.254.0.0/16", "link-local", "RFC 3927"], // includes the clouds' metadata service, 169.254.169.254
  ["172.16.0.0/12", "private", "RFC 1918"],
  ["192.0.0.0/29", "IPv4 service continuity", "RFC 7335"],
  ["192.0.0.8/32", "dummy address", "RFC 7600"],
  ["192.0.0.9/32", "PCP anycast", "RFC 7723"],
  ["192.0.0.10/32", "TURN anycast", "RFC 8155"],
  ["192.0.0.170/31", "NAT64 discovery", "RFC 7050"],
  ["192.0.0.0/24", "IETF protocol assignments", "RFC 6890"], // includes Oracle's metadata service, 192.0.0.192
  ["192.0.2.0/24", "documentation", "RFC 5737"],
  ["192.31.196.0/24", "AS112", "RFC 7535"],
  ["192.52.193.0/24", "AMT", "RFC 7450"],
  ["192.88.99.2/32", "6a44 relay", "RFC 6751"],
  ["192.88.99.0/24", "6to4 relay", "RFC 7526"],
  ["192.168.0.0/16", "private", "RFC 1918"],
  ["192.175.48.0/24", "AS112", "RFC 7534"],
  ["198.18.0.0/15", "benchmarking", "RFC 2544"],
  ["198.51.100.0/24", "documentation", "RFC 5737"],
  ["203.0.113.0/24", "documentation", "RFC 5737"],
  ["224.0.0.0/4", "multicast", "RFC 5771"],
  ["255.255.255.255/32", "limited broadcast", "RFC 919"],
  ["240.0.0.0/4", "reserved", "RFC 1112"],
];

/** Excludes v4-mapped (::ffff:0:0/96) and NAT64 (64:ff9b::/96) addresses: their embedded IPv4 address is checked. */
const V6: readonly NamedNetwork[] = [
  ["::/128", "unspecified", "RFC 4291"],
  ["::1/128", "loopback", "RFC 4291"],
  ["::/96", "v4-compatible", "RFC 4291"],
  ["::ffff:0:0:0/96", "v4-translated", "RFC 2765"],
  // Each network chooses the position of the IPv4 address in this prefix, so that address cannot be checked.
  ["64:ff9b:1::/48", "local NAT64", "RFC 8215"],
  ["100::/64", "discard-only", "RFC 6666"],
  ["100:0:0:1::/64", "dummy prefix", "RFC 9780"],
  ["2001::/32", "Teredo", "RFC 4380"],
  ["2001:1::1/128", "PCP anycast", "RFC 7723"],
  ["2001:1::2/128", "TURN anycast", "RFC 8155"],
  ["2001:1::3/128", "DNS-SD SRP anycast", "RFC 9665"],
  ["2001:2::/48", "benchmarking", "RFC 5180"],
  ["2001:3::/32", "AMT", "RFC 7450"],
  ["2001:4:112::/48", "AS112", "RFC 7535"],
  ["2001:10::/28", "ORCHID", "RFC 4843"],
  ["2001:20::/28", "ORCHIDv2", "RFC 7343"],
  ["2001:30::/28", "drone remote id", "RFC 9374"],
  ["2001::/23", "IETF protocol assignments", "RFC 2928"],
  ["2001:db8::/32", "documentation", "RFC 3849"],
  ["2002::/16", "6to4", "RFC 3056"],
  ["2620:4f:8000::/48", "AS112", "RFC 7534"],
  ["3fff::/20", "documentation", "RFC 9637"],
  ["5f00::/16", "segment routing", "RFC 9602"],
  ["fc00::/7", "unique local", "RFC 4193"],
  ["fe80::/10", "link-local", "RFC 4291"],
  ["fec0::/10", "site-local", "RFC 3879"],
  ["ff00::/8", "multicast", "RFC 4291"],
];

const BLOCKED = [...V4, ...V6].map(([cidr, name, reference]) => ({
  network: parseNetwork(cidr),
  rule: reference === undefined ? `${name} ${cidr}` : `${name} ${cidr}, ${reference}`,
}));

/** IANA assigns global unicast addresses from 2000::/3 only (RFC 4291 section 2.4). NAT64 leads to IPv4. */
const REACHABLE_V6 = ["2000::/3", "64:ff9b::/96"].map(parseNetwork);

/** Returns the rule that blocks an address, e.g. `loopback 127.0.0.0/8, RFC 1122`; undefined if globally reachable. */
export function specialRule(ip: Ip): string | undefined {
  const blocked = BLOCKED.find(({ network }) => holds(network, ip));
  if (blocked || ip.kind() === "ipv4") return blocked?.rule;
  return REACHABLE_V6.some((network) => holds(network, ip)) ? undefined : "outside global unicast 2000::/3, RFC 4291";
}
