/** URLs to addresses that webhooks must not call, in every notation; reproducible by seed. */
import { type Family, SPECIAL, toText, v4ToText, v6ToText } from "./blocked-addresses.ts";

/** Public addresses, for names that resolve to good and to bad ones. */
export const GOOD: readonly string[] = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"];

export interface HostileUrl {
  url: string;
  /**
   * `literal`: the host is an address or no valid notation of one. `name`: all its addresses are bad.
   * `mixture`: some are good. `rebinding`: good at the first look-up, bad at the next, and so on.
   */
  kind: "literal" | "name" | "mixture" | "rebinding";
  /** Addresses of the name at each look-up, repeated cyclically. */
  answers: string[][];
}

/** Random numbers below a limit, reproducible by seed (mulberry32). */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** @param port of every URL, where a listener counts connections */
export function* hostileUrls(count: number, seed: number, port: number): Generator<HostileUrl> {
  const below = random(seed);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;

  /** Returns the first or the last address of a prefix, or one inside it. */
  function address(family: Family): bigint {
    const { first, last } = pick(SPECIAL.filter((each) => each.family === family));
    if (below(4) === 0) return pick([first, last]);
    let n = 0n;
    for (let i = 0; i < 4; i++) n = (n << 32n) | BigInt(below(2 ** 32));
    return first + (n % (last - first + 1n));
  }
  const anyAddress = () => {
    const family = pick([4, 6] as const);
    return toText(family, address(family));
  };

  function literal(): string {
    if (below(3) === 0) return `[${pick(V6_NOTATIONS)(v6ToText(address(6)))}]`;
    const n = address(4);
    if (below(2) === 0) return `[${pick(CARRIERS)(n)}]`;
    const dotted = below(3) === 0 ? v4ToText(n) : inAnyRadix(n);
    return pick(DISGUISES)(dotted);
  }

  /** Returns 1 to 4 numbers, each decimal, octal or hexadecimal. */
  function inAnyRadix(n: bigint): string {
    const parts = 1 + below(4);
    const lead = [24n, 16n, 8n].slice(0, parts - 1).map((shift) => (n >> shift) & 255n);
    return [...lead, n & ((1n << BigInt(8 * (5 - parts))) - 1n)].map((number) => pick(RADIXES)(number)).join(".");
  }

  function host(i: number): Omit<HostileUrl, "url"> & { host: string } {
    const bad = Array.from({ length: 1 + below(3) }, anyAddress);
    const answers = [bad];
    const mixed = () => [...bad, pick(GOOD)].sort(() => below(2) - 0.5);
    switch (below(60)) {
      case 0:
        return { host: `mixture-${i}.example`, kind: "mixture", answers: [mixed()] };
      case 1:
        return { host: `rebinding-${i}.example`, kind: "rebinding", answers: [[pick(GOOD)], bad] };
      case 2:
        return { host: pick([`a${i}.localhost`, `A${i}.LOCALHOST.`]), kind: "name", answers };
      case 3:
      case 4:
      case 5:
        return { host: `name-${i}.example`, kind: "name", answers };
      default:
        return { host: literal(), kind: "literal", answers: [] };
    }
  }

  for (let i = 0; i < count; i++) {
    const { host: name, ...rest } = host(i);
    const scheme = pick(SCHEMES);
    const before = rest.kind === "literal" && below(30) === 0 ? pick(["good.example@", "good.example:80@"]) : "";
    yield { url: `${scheme}://${before}${name}:${port}/hook?i=${i}`, ...rest };
  }
}

/** Mostly without TLS, since creating a TLS context costs more than all other steps. */
const SCHEMES = [...Array<string>(8).fill("http"), "HTTP", "https"];

const RADIXES: readonly ((n: bigint) => string)[] = [
  (n) => n.toString(),
  (n) => `0${n.toString(8)}`,
  (n) => `0x${n.toString(16)}`,
  (n) => `0X00${n.toString(16).toUpperCase()}`,
];

const inDigitsFrom = (zero: number) => (text: string) =>
  text.replace(/\d/g, (digit) => String.fromCodePoint(zero + Number(digit)));

/** Spellings that a URL parser maps back to plain ASCII. */
const DISGUISES: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => `${text}.`,
  (text) => text.replace(/\d/g, (digit) => `%3${digit}`),
  (text) => text.replace(/\d$/, (digit) => `%3${digit}`).replaceAll(".", "%2e"),
  (text) => text.replaceAll(".", "。"),
  (text) => text.replaceAll(".", "．"),
  (text) => text.replace(/^/, "\u00ad").replace(".", "\u200b."),
  inDigitsFrom("０".codePointAt(0)!),
  inDigitsFrom("𝟎".codePointAt(0)!),
  inDigitsFrom("𝟬".codePointAt(0)!),
];

const hex = (n: bigint) => `${(n >> 16n).toString(16)}:${(n & 0xffffn).toString(16)}`;

/** IPv6 addresses that embed an IPv4 address. */
const CARRIERS: readonly ((n: bigint) => string)[] = [
  (n) => `::ffff:${v4ToText(n)}`,
  (n) => `::FFFF:${hex(n)}`,
  (n) => `0:0:0:0:0:ffff:${v4ToText(n)}`,
  (n) => `::ffff:${v4ToText(n)}%25lo`,
  (n) => `::${v4ToText(n)}`,
  (n) => `::ffff:0:${v4ToText(n)}`,
  (n) => `64:ff9b::${v4ToText(n)}`,
  (n) => `0064:ff9b::${hex(n)}`,
  (n) => `64:ff9b:1::${v4ToText(n)}`,
  (n) => `2002:${hex(n)}::1`,
  (n) => `2001:0:808:808:0:0:${hex(n ^ 0xffffffffn)}`,
  (n) => `2606:4700::5efe:${v4ToText(n)}`,
  (n) => `2606:4700:0:1:200:5efe:${hex(n)}`,
];

const V6_NOTATIONS: readonly ((full: string) => string)[] = [
  (full) => full,
  (full) => full.toUpperCase(),
  (full) => full.replace(/\w+/g, (group) => group.padStart(4, "0")),
  (full) => new URL(`http://[${full}]`).hostname.slice(1, -1),
  (full) => `${full}%25eth0`,
  (full) => full.replace(/(\w+):(\w+)$/, (_, a, b) => v4ToText(BigInt(`0x${a}`) * 65_536n + BigInt(`0x${b}`))),
];
